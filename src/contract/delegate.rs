//! The contract `delegate`, which the kernel itself carries out: a run hands part of its task to a child.

use serde_json::json;

use super::{Contract, Effect, Risk, ToolName, Touches};

/// The name of the contract that hands part of a task to a child run. No tool can have it.
pub const DELEGATE: &str = "delegate";

impl Contract {
    /// The contract of a delegation. What the child may do is bounded by the writ that it gets.
    #[expect(clippy::expect_used, reason = "the name is one that a tool can have")]
    pub fn delegate() -> Self {
        let amount = |what: &str| json!({"description": what, "maximum": 9_007_199_254_740_991_u64, "minimum": 0, "type": "integer"});
        Self {
            compensable: true,
            description: "Hands part of the task to a child run, which works on it with a part of your authority and answers you."
                .into(),
            effect: Effect::Read,
            name: ToolName::new(DELEGATE).expect("the name is one that a tool can have"),
            risk: Risk::Medium,
            schema: json!({
                "additionalProperties": false,
                "properties": {
                    "budget": {
                        "additionalProperties": false,
                        "description": "The most that the child may spend, out of what you have. What is left out is as much as you were granted.",
                        "properties": {
                            "tokens": amount("Tokens of models."),
                            "tool_calls": amount("Calls of tools."),
                            "usd_millicents": amount("Thousandths of a US cent."),
                            "wall_clock_ms": amount("Milliseconds of execution."),
                        },
                        "type": "object",
                    },
                    "depth": {
                        "description": "How many generations the child may have below it; none when left out.",
                        "maximum": u32::MAX, "minimum": 0, "type": "integer",
                    },
                    "effects": {
                        "description": "The greatest effect that the child's tools may have; `read` when left out.",
                        "enum": Effect::ALL.iter().map(|effect| effect.as_str()).collect::<Vec<_>>(),
                        "type": "string",
                    },
                    "task": {"description": "What the child is to do.", "minLength": 1, "type": "string"},
                    "tools": {
                        "description": "The tools that the child may call: names, or patterns with `*` and `?`.",
                        "items": {"type": "string"}, "maxItems": 128, "minItems": 1, "type": "array",
                    },
                },
                "required": ["task", "tools"],
                "type": "object",
            }),
            touches: Touches::World,
            version: "1".into(),
        }
    }

    /// Whether it is the contract of delegations.
    pub fn is_delegate(&self) -> bool {
        self.name.as_str() == DELEGATE
    }
}
