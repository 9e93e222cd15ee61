//! Which votes on a suspended proposal count, and what they come to.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::collections::BTreeMap;

use common::*;
use openthymos::{
    Submitted,
    approval::{Ballot, BallotError, VoteFault},
    canon::{Commitment, DecisionHash, EntryId, KeyId, Nonce, PolicySetHash, ProposalId, RosterHash},
    contract::Risk,
    crypto::{NamedKey, Purpose, Role},
    ledger::{
        AuthorityState,
        record::{PendingApproval, RosterRecord, Vote},
    },
    policy::{Quorum, Roster},
    proposal::ApprovalEvidence,
};
use serde_json::json;

const NOW: u64 = 1_800_000_000_000;

/// A call that waits on the channel `operator`.
fn request() -> (EntryId, PendingApproval) {
    let fixture = Fixture::default();
    let tool = TestTool::world("act").with(|tool| tool.contract.risk = Risk::Critical);
    let calls = tool.counter();
    let runtime = fixture.open([tool]);
    let run = start(&runtime, &signed(writ()));
    let Submitted::Suspended { entry, seq, channel, .. } = submit(&run, "act", json!({"amount": 1})) else {
        panic!("not suspended")
    };
    assert_eq!((channel.as_str(), calls.get()), ("operator", 0));
    (entry, fixture.entry(&run.id(), seq).body().unwrap())
}

fn roster(required: u32, approvers: impl IntoIterator<Item = u8>) -> Roster {
    let approvers = approvers.into_iter().map(named).collect();
    Roster { channels: BTreeMap::from([("operator".into(), Quorum { approvers, required })]), version: "1".into() }
}

/// An epoch in which this roster, if any, is in force, and key 1 is trusted as approver.
fn epoch(roster: Option<&Roster>) -> AuthorityState {
    let mut state = AuthorityState::default();
    state.trust.add(named(1).key, Role::Approver);
    state.roster = roster.map(|roster| {
        let hash = roster.hash().unwrap();
        let signature = key(1).sign(Purpose::Roster, hash.as_bytes());
        RosterRecord { hash, roster: roster.clone(), signature, signed_by: named(1).key }
    });
    state
}

/// The vote of the holder of a key.
fn vote(ballot: &Ballot<'_>, pending: EntryId, seed: u8, approve: bool) -> Vote {
    let statement = ballot.statement(approve, Some(named(seed)), NOW + 1_000, Nonce([seed; 16]));
    let signature = Some(key(seed).sign(Purpose::Vote, statement.hash().unwrap().as_bytes()));
    Vote { note: None, pending, signature, statement }
}

/// What an operator says who shows no key.
fn bare(ballot: &Ballot<'_>, pending: EntryId, approve: bool) -> Vote {
    Vote {
        note: None,
        pending,
        signature: None,
        statement: ballot.statement(approve, None, NOW + 1_000, Nonce([0; 16])),
    }
}

fn ids(seeds: impl IntoIterator<Item = u8>) -> Vec<KeyId> {
    let mut ids: Vec<_> = seeds.into_iter().map(|seed| key(seed).public_key().id()).collect();
    ids.sort();
    ids
}

#[test]
fn votes_of_distinct_approvers_count_once_each_and_one_denial_vetoes() {
    let (pending, request) = request();
    let roster = roster(2, [1, 2, 3]);
    let epoch = epoch(Some(&roster));
    let ballot = Ballot::new(pending, &request, &epoch).unwrap();
    let yes = |seed| vote(&ballot, pending, seed, true);
    let count = |votes: &[Vote]| ballot.count(votes, NOW);

    let ApprovalEvidence { approved, denied, quorum, roster: bound, operator_present, channel } =
        count(&[yes(1), yes(1), yes(2)]);
    assert_eq!((approved, denied, quorum), (ids([1, 2]), vec![], 2));
    assert_eq!((bound, operator_present, channel.as_str()), (Some(roster.hash().unwrap()), false, "operator"));
    // A stranger's yes is none, and who denies after all has denied.
    let evidence = count(&[yes(1), yes(9), vote(&ballot, pending, 1, false)]);
    assert_eq!((evidence.approved, evidence.denied), (vec![], ids([1])));
    assert_eq!(count(&[yes(1), bare(&ballot, pending, false)]).denied, [KeyId::ZERO]);
    // Votes lapse.
    assert_eq!(ballot.count(&[yes(1), yes(2)], NOW + 1_000).approved, []);
}

#[test]
fn a_vote_that_was_cast_on_something_else_does_not_count() {
    let (pending, request) = request();
    let roster = roster(1, [1]);
    let epoch = epoch(Some(&roster));
    let ballot = Ballot::new(pending, &request, &epoch).unwrap();
    let good = vote(&ballot, pending, 1, true);
    assert_eq!(ballot.check(&good, NOW), Ok(()));

    let changed = |change: &dyn Fn(&mut Vote)| {
        let mut vote = good.clone();
        change(&mut vote);
        let hash = vote.statement.hash().unwrap();
        // Signed by its approver as it now stands: it is what was voted on that differs.
        vote.signature = vote.signature.map(|_| key(1).sign(Purpose::Vote, hash.as_bytes()));
        ballot.check(&vote, NOW).unwrap_err()
    };
    let bound = |what| VoteFault::Bound { what };
    assert_eq!(changed(&|vote| vote.statement.proposal = ProposalId([1; 32])), bound("proposal"));
    assert_eq!(changed(&|vote| vote.statement.decision = DecisionHash([1; 32])), bound("decision"));
    assert_eq!(changed(&|vote| vote.statement.policy_set = PolicySetHash([1; 32])), bound("policy set"));
    assert_eq!(changed(&|vote| vote.statement.roster = Some(RosterHash([1; 32]))), bound("roster"));
    assert_eq!(changed(&|vote| vote.statement.roster = None), bound("roster"));
    let found = EntryId([7; 32]);
    assert_eq!(changed(&|vote| vote.pending = found), VoteFault::Pending { found, expected: pending });
    assert_eq!(
        changed(&|vote| vote.statement.expires_at_ms = NOW),
        VoteFault::Expired { expires_at_ms: NOW, at_ms: NOW }
    );
    assert_eq!(changed(&|vote| vote.signature = None), VoteFault::HalfSigned);
    assert_eq!(changed(&|vote| vote.statement.approver = None), VoteFault::HalfSigned);
    let stranger = VoteFault::Stranger { key: key(2).public_key(), channel: "operator".into() };
    assert_eq!(changed(&|vote| vote.statement.approver = Some(named(2))), stranger);

    // Its own signature, and none that was made for something else.
    let mut forged = good.clone();
    forged.statement.nonce = Nonce([9; 16]);
    assert!(matches!(ballot.check(&forged, NOW), Err(VoteFault::Signature(_))));
    let hash = good.statement.hash().unwrap();
    let other = Vote { signature: Some(key(1).sign(Purpose::Roster, hash.as_bytes())), ..good.clone() };
    assert!(matches!(ballot.check(&other, NOW), Err(VoteFault::Signature(_))));
    // A note is beside what was signed.
    assert_eq!(ballot.check(&Vote { note: Some(Commitment([3; 32])), ..good }, NOW), Ok(()));
}

#[test]
fn a_bare_yes_counts_only_where_one_is_enough_and_anybody_may_say_no() {
    let (pending, request) = request();
    for (roster, counts) in [(None, true), (Some(roster(1, [1, 2])), true), (Some(roster(2, [1, 2])), false)] {
        let epoch = epoch(roster.as_ref());
        let ballot = Ballot::new(pending, &request, &epoch).unwrap();
        let yes = bare(&ballot, pending, true);
        assert_eq!(ballot.check(&yes, NOW).is_ok(), counts);
        assert_eq!(ballot.count([&yes], NOW).operator_present, counts);
        assert_eq!(ballot.check(&bare(&ballot, pending, false), NOW), Ok(()));
    }
    let epoch = epoch(None);
    let ballot = Ballot::new(pending, &request, &epoch).unwrap();
    // Without a roster, those count who are trusted as approvers.
    assert_eq!(ballot.check(&vote(&ballot, pending, 1, true), NOW), Ok(()));
    let keyed = ballot.check(&vote(&ballot, pending, 2, true), NOW);
    assert!(matches!(keyed, Err(VoteFault::Stranger { .. })));
}

#[test]
fn a_request_that_nobody_can_answer_has_no_ballot() {
    let (pending, request) = request();
    let other = Roster {
        channels: BTreeMap::from([(
            "finance".into(),
            Quorum { approvers: vec![NamedKey::new("a", key(1).public_key())], required: 1 },
        )]),
        version: "1".into(),
    };
    let unknown = BallotError::UnknownChannel { channel: "operator".into() };
    assert_eq!(Ballot::new(pending, &request, &epoch(Some(&other))).unwrap_err(), unknown);
    let lapsed = PendingApproval { expires_at_ms: Some(NOW), ..request };
    let epoch = epoch(None);
    let ballot = Ballot::new(pending, &lapsed, &epoch).unwrap();
    let fault = VoteFault::RequestExpired { expires_at_ms: NOW, at_ms: NOW };
    assert_eq!(ballot.check(&bare(&ballot, pending, true), NOW), Err(fault));
    assert_eq!(ballot.check(&bare(&ballot, pending, true), NOW - 1), Ok(()));
}
