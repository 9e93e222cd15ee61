//! What a host does, step by step: governed calls of every kind and outcome.

use Step::*;
use Who::*;

/// Which run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Under the root writ.
    Parent,
    /// Under a writ below it.
    Child,
}

/// A tool, and the number in its arguments: every call of a script has its own.
pub type Asked = (&'static str, u64);

/// One thing that the host does.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Start(Who),
    /// Submits an intent that the host has kept, and would submit again.
    Sealed(Who, Asked),
    /// Submits an intent that is gone with the process.
    Plain(Who, Asked),
    /// Lets cognition ask, a list at a time, and answer in the end.
    Drive(Who, &'static [&'static [Asked]]),
    /// Revokes the child's writ.
    Revoke,
    /// Opens a runtime again, as a new process does.
    Reopen,
    Resume(Who),
    TakeOver(Who),
    /// Settles by an operator what is in doubt.
    Settle(Who),
    Close(Who),
}

impl Step {
    pub fn who(self) -> Option<Who> {
        match self {
            Start(who)
            | Sealed(who, _)
            | Plain(who, _)
            | Drive(who, _)
            | Resume(who)
            | TakeOver(who)
            | Settle(who)
            | Close(who) => Some(who),
            Revoke | Reopen => None,
        }
    }

    /// What is asked in this step.
    pub fn asked(self) -> Vec<Asked> {
        match self {
            Sealed(_, asked) | Plain(_, asked) => vec![asked],
            Drive(_, lists) => lists.concat(),
            _ => vec![],
        }
    }
}

pub const FIRST_USE: &[Step] = &[Reopen, Start(Parent), Sealed(Parent, ("pay", 1)), Close(Parent)];

pub const WORLD: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("note", 1)),
    Plain(Parent, ("note", 2)),
    Sealed(Parent, ("note_not_done", 3)),
    Sealed(Parent, ("note_fails", 4)),
    Sealed(Parent, ("note_panics", 5)),
    Plain(Parent, ("note_bad_delta", 6)),
    Sealed(Parent, ("note_postcondition", 7)),
    Sealed(Parent, ("note_overruns", 8)),
    Sealed(Parent, ("note_times_out", 9)),
    Sealed(Parent, ("note_keyed", 10)),
    Sealed(Parent, ("note_keyed", 110)),
    Sealed(Parent, ("look", 11)),
    Close(Parent),
];

pub const HOST: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("pay", 1)),
    Plain(Parent, ("pay", 2)),
    Sealed(Parent, ("pay_not_done", 3)),
    Plain(Parent, ("pay_not_done", 4)),
    Sealed(Parent, ("pay_bad_delta", 5)),
    Sealed(Parent, ("pay_postcondition", 6)),
    Plain(Parent, ("pay_postcondition", 7)),
    Sealed(Parent, ("pay_overruns", 8)),
    Plain(Parent, ("pay_bad_delta", 9)),
    Plain(Parent, ("pay_keyed_knows", 10)),
    Sealed(Parent, ("pay_keyed_not_done", 11)),
    Close(Parent),
];

pub const DOUBT: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("pay_fails", 1)),
    Sealed(Parent, ("pay_panics", 2)),
    Settle(Parent),
    Sealed(Parent, ("pay", 3)),
];

pub const STOPPED: &[Step] = &[
    Start(Parent),
    Plain(Parent, ("pay_times_out", 1)),
    Sealed(Parent, ("note", 2)),
    Sealed(Parent, ("pay_cancelled", 3)),
    Close(Parent),
];

pub const KEYS: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("pay_keyed_knows", 1)),
    Sealed(Parent, ("pay_keyed_knows", 101)),
    Sealed(Parent, ("pay_keyed", 2)),
    Sealed(Parent, ("pay_keyed_fails", 3)),
    Sealed(Parent, ("pay_keyed_fails", 103)),
    Sealed(Parent, ("pay_keyed_fails_knows", 4)),
    Start(Child),
    Sealed(Child, ("pay_keyed", 102)),
    Sealed(Child, ("pay_keyed_fails", 203)),
    Sealed(Parent, ("pay_keyed_fails_knows", 104)),
    Settle(Parent),
    Sealed(Child, ("pay_keyed_fails", 303)),
];

pub const REFUSED: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("banned", 1)),
    Sealed(Parent, ("ask", 2)),
    Plain(Parent, ("unknown", 3)),
    Sealed(Parent, ("dear", 4)),
    Plain(Parent, ("look", 5)),
    Sealed(Parent, ("pay", 6)),
    Close(Parent),
];

pub const DRIVEN: &[Step] = &[
    Start(Parent),
    Drive(Parent, &[&[("note", 1), ("pay", 2), ("pay_not_done", 3)], &[("look", 4), ("ask", 5), ("look", 6)]]),
    Drive(Parent, &[&[("pay_keyed_knows", 7), ("banned", 8)], &[("pay_fails", 9), ("note", 10)]]),
];

pub const CHILDREN: &[Step] = &[
    Start(Parent),
    Start(Child),
    Sealed(Child, ("pay", 1)),
    Sealed(Parent, ("pay", 2)),
    Drive(Child, &[&[("note", 3), ("ask", 4)]]),
    Revoke,
    Sealed(Child, ("pay", 5)),
    Sealed(Parent, ("note", 6)),
    Close(Child),
    Close(Parent),
];

pub const TAKEN_UP: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("pay", 1)),
    Sealed(Parent, ("pay_fails", 2)),
    Sealed(Parent, ("pay_keyed_fails_knows", 3)),
    Reopen,
    Resume(Parent),
    Sealed(Parent, ("note", 4)),
];

pub const TAKEN_OVER: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("pay_panics", 1)),
    TakeOver(Parent),
    Settle(Parent),
    Sealed(Parent, ("note", 2)),
    TakeOver(Parent),
    Close(Parent),
];

#[cfg(feature = "redb")]
pub const SHORT: &[Step] = &[
    Start(Parent),
    Sealed(Parent, ("pay", 1)),
    Plain(Parent, ("note", 2)),
    Sealed(Parent, ("pay_keyed_knows", 3)),
    Close(Parent),
];
