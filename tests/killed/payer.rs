//! A tool that pays by appending a line to a file, which says what was paid whatever becomes of the process.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use openthymos::{
    canon::FileHash,
    contract::{Contract, Effect, Risk, ToolName, Touches},
    host::Spawn,
    tool::{Call, ToolContract, ToolError, ToolOutput},
};
use serde_json::{Value, json};

const FILE: &str = "payments";

/// Every payment: its proposal and its business key.
pub fn payments(folder: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let pair = |line: &str| line.split_once(' ').map(|(proposal, key)| (proposal.to_owned(), key.to_owned()));
    text.lines().map(|line| pair(line).unwrap()).collect()
}

pub struct Payer {
    pub folder: PathBuf,
    /// Whether it looks into the file when it is asked what became of a payment.
    pub looks: bool,
}

impl Payer {
    pub fn name(&self) -> &'static str {
        if self.looks { "pay" } else { "pay_blindly" }
    }

    fn key(&self, args: &Value) -> String {
        format!("{}-{}", self.name(), args["number"])
    }

    fn pay(&self, call: &Call) -> std::io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(self.folder.join(FILE))?;
        file.write_all(format!("{} {}\n", call.proposal, self.key(&call.args)).as_bytes())?;
        file.sync_all()
    }
}

#[async_trait]
impl ToolContract for Payer {
    fn contract(&self) -> Contract {
        Contract {
            compensable: true,
            description: "pays".into(),
            effect: Effect::External,
            name: ToolName::new(self.name()).unwrap(),
            risk: Risk::Low,
            schema: json!({"type": "object"}),
            touches: Touches::Host,
            version: "1".into(),
        }
    }

    fn idempotency_key(&self, args: &Value) -> Option<String> {
        Some(self.key(args))
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        self.pay(&call).map_err(|error| ToolError::Failed(error.to_string()))?;
        Ok(ToolOutput::new("paid"))
    }

    async fn reconcile(&self, args: &Value, _: Option<FileHash>, _: &Arc<dyn Spawn>) -> Option<bool> {
        let key = self.key(args);
        self.looks.then(|| payments(&self.folder).iter().any(|(_, paid)| *paid == key))
    }
}
