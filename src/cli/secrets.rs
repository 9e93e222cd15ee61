use super::{
    failure::{Done, Failure},
    locate::quoted,
};
use crate::host::EnvSecrets;

/// Which secrets tools may be given.
#[derive(Debug, clap::Args)]
pub(super) struct Secrets {
    /// Hand this environment variable to tools where arguments say {"$secret": "NAME"}; may be given several times
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,
}

impl Secrets {
    /// What hands out the same variables again.
    pub(super) fn arguments(&self) -> String {
        self.secret_env.iter().map(|name| format!(" --secret-env {}", quoted(name))).collect()
    }

    /// The store of the variables that were named.
    pub(super) fn store(&self) -> Done<EnvSecrets> {
        match self.secret_env.iter().find(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
            Some(name) => Err(Failure::usage(format!("secret `{name}`: the environment has no such variable"))),
            None => Ok(EnvSecrets::named(&self.secret_env)),
        }
    }
}
