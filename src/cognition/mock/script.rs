use serde_json::{Map, Value};

use crate::{
    canon::{LimitError, MAX_RECORD_BYTES, ParseError, misshapen, parse, shown},
    cognition::{Request, Turn},
    contract::{NameError, ToolName},
    intent::IntentKind,
    proposal::RoutingEvidence,
};

/// The most bytes that a script may have.
pub const MAX_SCRIPT_BYTES: usize = MAX_RECORD_BYTES;
/// The most steps that a script may have.
pub const MAX_SCRIPT_STEPS: usize = 4_096;
/// The most calls that a step of a script may have.
pub const MAX_STEP_CALLS: usize = 256;

/// Where and why a script cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// The step, from 0; none when the fault is in the whole.
    pub step: Option<usize>,
    /// The call within the step, from 0; none when the fault is in the whole step.
    pub call: Option<usize>,
    /// What is wrong.
    pub fault: ScriptFault,
}

/// Why a script cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptFault {
    /// The bytes are not JSON, or could be read in two ways.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// More steps or calls than there may be.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A value has another type than it should.
    #[error("expected {what} to be {expected}")]
    Type {
        /// The value.
        what: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A member that a script does not have.
    #[error("unknown member `{0}`")]
    UnknownMember(String),
    /// A call that names no tool.
    #[error("missing member `tool`")]
    NoTool,
    /// A name that no tool can have.
    #[error(transparent)]
    Tool(#[from] NameError),
    /// An intent kind that does not exist.
    #[error("{0}")]
    Kind(String),
    /// Evidence of a router that is of another shape.
    #[error("`routing`: {0}")]
    Routing(String),
    /// A step without calls before the last one.
    #[error("no calls, which would end the run before the steps that follow")]
    EndsEarly,
}

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.step, self.call) {
            (Some(step), Some(call)) => write!(f, "step {step}, call {call}: ")?,
            (Some(step), None) => write!(f, "step {step}: ")?,
            _ => f.write_str("script: ")?,
        }
        write!(f, "{}", self.fault)
    }
}

impl std::error::Error for ScriptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Turn>, ScriptError> {
    let whole = |fault: ScriptFault| ScriptError { step: None, call: None, fault };
    let script = parse(bytes, MAX_SCRIPT_BYTES).map_err(|fault| whole(fault.into()))?;
    let Value::Array(steps) = script else { return Err(whole(wrong("the script", "a list of steps"))) };
    LimitError::check("steps", steps.len(), MAX_SCRIPT_STEPS).map_err(|error| whole(error.into()))?;
    let last = steps.len().saturating_sub(1);
    let turns = steps.into_iter().enumerate().map(|(index, value)| {
        let turn = step(value).map_err(|(call, fault)| ScriptError { step: Some(index), call, fault })?;
        if turn.requests.is_empty() && index < last {
            return Err(ScriptError { step: Some(index), call: None, fault: ScriptFault::EndsEarly });
        }
        Ok(turn)
    });
    turns.collect()
}

type Fault = (Option<usize>, ScriptFault);

fn step(value: Value) -> Result<Turn, Fault> {
    let whole = |fault| (None, fault);
    match value {
        Value::Array(values) => Ok(Turn { requests: calls(values)?, ..Turn::default() }),
        Value::Object(mut members) => {
            let text = take_text(&mut members, "say").map_err(whole)?;
            let answer = take_text(&mut members, "answer").map_err(whole)?;
            let requests = match members.remove("calls") {
                None => Vec::new(),
                Some(Value::Array(values)) => calls(values)?,
                Some(_) => return Err(whole(wrong("`calls`", "a list of calls"))),
            };
            let routing = members.remove("routing").map(evidence).transpose().map_err(whole)?;
            nothing_left(&members).map_err(whole)?;
            Ok(Turn { text, requests, answer, routing, ..Turn::default() })
        }
        _ => Err(whole(wrong("the step", "a list of calls, or an object of `say`, `calls`, `answer` and `routing`"))),
    }
}

fn calls(values: Vec<Value>) -> Result<Vec<Request>, Fault> {
    LimitError::check("calls", values.len(), MAX_STEP_CALLS).map_err(|error| (None, error.into()))?;
    values.into_iter().enumerate().map(|(index, value)| call(value).map_err(|fault| (Some(index), fault))).collect()
}

fn call(value: Value) -> Result<Request, ScriptFault> {
    let Value::Object(mut members) = value else {
        return Err(wrong("the call", "an object of `tool`, `args`, `rationale` and `kind`"));
    };
    let tool = take_text(&mut members, "tool")?;
    let rationale = take_text(&mut members, "rationale")?.unwrap_or_default();
    let kind = match take_text(&mut members, "kind")? {
        None => IntentKind::Act,
        Some(word) => shown(&word).parse().map_err(ScriptFault::Kind)?,
    };
    let args = members.remove("args").unwrap_or_else(|| Value::Object(Map::new()));
    nothing_left(&members)?;
    let tool = ToolName::new(tool.ok_or(ScriptFault::NoTool)?)?;
    Ok(Request { kind, tool: tool.to_string(), args, rationale })
}

fn evidence(value: Value) -> Result<RoutingEvidence, ScriptFault> {
    let misshapen = |error: serde_json::Error| ScriptFault::Routing(misshapen(&error));
    serde_json::from_value(value).map_err(misshapen)
}

fn take_text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ScriptFault> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(&format!("`{name}`"), "text")),
    }
}

fn nothing_left(members: &Map<String, Value>) -> Result<(), ScriptFault> {
    // The least, since a host's features may reorder the map.
    members.keys().min().map_or(Ok(()), |name| Err(ScriptFault::UnknownMember(shown(name))))
}

fn wrong(what: &str, expected: &'static str) -> ScriptFault {
    ScriptFault::Type { what: what.into(), expected }
}
