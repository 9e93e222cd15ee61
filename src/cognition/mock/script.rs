use serde_json::{Map, Value};

use crate::{
    canon::{LimitError, MAX_RECORD_BYTES, ParseError, misshapen, parse, shown},
    cognition::{Mock, Request, Turn},
    contract::{DELEGATE, NameError, ToolName},
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
    /// The script of a child beside a call that starts none.
    #[error("`script` is for calls of `{DELEGATE}` that have a `task`")]
    NoChild,
    /// The script of a child cannot be played.
    #[error("script of the child: {0}")]
    Child(Box<ScriptError>),
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

pub(super) fn read(bytes: &[u8]) -> Result<Mock, ScriptError> {
    let script = parse(bytes, MAX_SCRIPT_BYTES);
    played(script.map_err(|fault| ScriptError { step: None, call: None, fault: fault.into() })?)
}

fn played(script: Value) -> Result<Mock, ScriptError> {
    let whole = |fault: ScriptFault| ScriptError { step: None, call: None, fault };
    let Value::Array(steps) = script else { return Err(whole(wrong("the script", "a list of steps"))) };
    LimitError::check("steps", steps.len(), MAX_SCRIPT_STEPS).map_err(|error| whole(error.into()))?;
    let last = steps.len().saturating_sub(1);
    let (mut turns, mut children) = (Vec::with_capacity(steps.len()), Children::new());
    for (index, value) in steps.into_iter().enumerate() {
        let turn =
            step(value, &mut children).map_err(|(call, fault)| ScriptError { step: Some(index), call, fault })?;
        if turn.requests.is_empty() && index < last {
            return Err(ScriptError { step: Some(index), call: None, fault: ScriptFault::EndsEarly });
        }
        turns.push(turn);
    }
    Ok(children.into_iter().fold(Mock::turns(turns), |mock, (task, child)| mock.with_child(task, child)))
}

/// The scripts of children, by their tasks.
type Children = Vec<(String, Mock)>;

type Fault = (Option<usize>, ScriptFault);

fn step(value: Value, children: &mut Children) -> Result<Turn, Fault> {
    let whole = |fault| (None, fault);
    match value {
        Value::Array(values) => Ok(Turn { requests: calls(values, children)?, ..Turn::default() }),
        Value::Object(mut members) => {
            let text = take_text(&mut members, "say").map_err(whole)?;
            let answer = take_text(&mut members, "answer").map_err(whole)?;
            let requests = match members.remove("calls") {
                None => Vec::new(),
                Some(Value::Array(values)) => calls(values, children)?,
                Some(_) => return Err(whole(wrong("`calls`", "a list of calls"))),
            };
            let routing = members.remove("routing").map(evidence).transpose().map_err(whole)?;
            nothing_left(&members).map_err(whole)?;
            Ok(Turn { text, requests, answer, routing, ..Turn::default() })
        }
        _ => Err(whole(wrong("the step", "a list of calls, or an object of `say`, `calls`, `answer` and `routing`"))),
    }
}

fn calls(values: Vec<Value>, children: &mut Children) -> Result<Vec<Request>, Fault> {
    LimitError::check("calls", values.len(), MAX_STEP_CALLS).map_err(|error| (None, error.into()))?;
    let call = |(index, value)| call(value, children).map_err(|fault| (Some(index), fault));
    values.into_iter().enumerate().map(call).collect()
}

fn call(value: Value, children: &mut Children) -> Result<Request, ScriptFault> {
    let Value::Object(mut members) = value else {
        return Err(wrong("the call", "an object of `tool`, `args`, `rationale`, `kind` and `script`"));
    };
    let tool = take_text(&mut members, "tool")?;
    let rationale = take_text(&mut members, "rationale")?.unwrap_or_default();
    let kind = match take_text(&mut members, "kind")? {
        None => IntentKind::Act,
        Some(word) => shown(&word).parse().map_err(ScriptFault::Kind)?,
    };
    let args = members.remove("args").unwrap_or_else(|| Value::Object(Map::new()));
    let script = members.remove("script");
    nothing_left(&members)?;
    let tool = ToolName::new(tool.ok_or(ScriptFault::NoTool)?)?;
    if let Some(script) = script {
        let task = args.get("task").and_then(Value::as_str).filter(|_| tool.as_str() == DELEGATE);
        let task = task.ok_or(ScriptFault::NoChild)?.to_owned();
        children.push((task, played(script).map_err(|error| ScriptFault::Child(Box::new(error)))?));
    }
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
