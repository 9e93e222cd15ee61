use crate::{
    compile::Standing,
    crypto::Role,
    proposal::{Code, Refusal, Stage},
};

/// Signatures and links hold by the type of the chain; what is left is whether its root is trusted.
pub(super) fn check(standing: &Standing<'_>) -> Result<(), Refusal> {
    let issuer = &standing.chain.root().issuer;
    if standing.trust.has(&issuer.key, Role::WritIssuer) {
        return Ok(());
    }
    Err(Refusal::new(Stage::Chain, Code::UntrustedRoot).asked(issuer.key))
}
