//! The names that a rule may read, resolved once when a set is built.

use crate::{predicate::FieldPath, world::ResourceId, writ::Dimension};

/// A field's name and what it resolved to. Fields are the same when they read the same thing, however it is written.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) path: FieldPath,
    pub(super) source: Source,
    /// For an argument, its name's index among the names that the set's rules read.
    pub(super) argument: Option<usize>,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// The arguments, or what lies below them.
    Args(Vec<String>),
    /// Of the child run that is asked for.
    Child(ChildField),
    /// A text that the intent, the writ or the contract holds.
    Text(Text),
    /// The version of a resource.
    Version(ResourceId),
    /// The value of a resource, or what lies below it.
    Value(ResourceId, Vec<String>),
    /// A name that means nothing, and why. It is always absent.
    Nothing(String),
}

/// A field of a child run that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChildField {
    Budget(Dimension),
    Children,
    Depth,
    Descendants,
    EffectCeiling,
    Generation,
    Tools,
}

impl ChildField {
    fn find(steps: &[&str]) -> Option<Self> {
        Some(match steps {
            ["budget", name] => Self::Budget(Dimension::ALL.into_iter().find(|dimension| dimension.as_str() == *name)?),
            ["children"] => Self::Children,
            ["depth"] => Self::Depth,
            ["descendants"] => Self::Descendants,
            ["effect_ceiling"] => Self::EffectCeiling,
            ["generation"] => Self::Generation,
            ["tools"] => Self::Tools,
            _ => return None,
        })
    }
}

macro_rules! texts {
    ($($variant:ident = $root:literal $name:literal;)*) => {
        /// A field of fixed name, whose value is a text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Text { $($variant),* }

        impl Text {
            pub(super) const COUNT: usize = [$(Self::$variant),*].len();

            fn find(root: &str, name: &str) -> Option<Self> {
                match (root, name) {
                    $(($root, $name) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        const NAMES: &[(&str, &str)] = &[$(($root, $name)),*];
    };
}

texts! {
    IntentAuthor = "intent" "author";
    IntentKind = "intent" "kind";
    IntentTarget = "intent" "target";
    ToolEffect = "tool" "effect";
    ToolRisk = "tool" "risk";
    ToolTouches = "tool" "touches";
    ToolVersion = "tool" "version";
    WritEffectCeiling = "writ" "effect_ceiling";
    WritId = "writ" "id";
    WritIssuer = "writ" "issuer";
    WritIssuerKey = "writ" "issuer_key";
    WritSubject = "writ" "subject";
    WritSubjectKey = "writ" "subject_key";
    WritTenantId = "writ" "tenant_id";
}

impl Source {
    pub(super) fn resolve(path: &FieldPath) -> Self {
        let steps: Vec<&str> = path.steps().collect();
        let owned = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect();
        match steps.as_slice() {
            ["args", below @ ..] | ["intent", "args", below @ ..] => Self::Args(owned(below)),
            ["world", kind, id, below @ ..] => {
                let resource = match ResourceId::new(kind, id) {
                    Ok(resource) => resource,
                    Err(error) => return Self::Nothing(error.to_string()),
                };
                match below {
                    [] => Self::Value(resource, Vec::new()),
                    ["version"] => Self::Version(resource),
                    ["value", below @ ..] => Self::Value(resource, owned(below)),
                    _ => Self::Nothing(format!(
                        "`{path}`: after a resource comes `.version`, `.value` with a path, or nothing; an id with other \
                         characters goes in brackets, such as `world.{kind}[\"a.b\"]`"
                    )),
                }
            }
            ["child", below @ ..] => match ChildField::find(below) {
                Some(field) => Self::Child(field),
                None => Self::Nothing(format!(
                    "unknown field `{path}`: expected one of `child.budget.<dimension>`, `child.children`, `child.depth`, \
                     `child.descendants`, `child.effect_ceiling`, `child.generation`, `child.tools`"
                )),
            },
            ["world", ..] => Self::Nothing(format!("`{path}`: expected `world.<kind>.<id>`")),
            [root, name] if let Some(text) = Text::find(root, name) => Self::Text(text),
            [root, ..] => {
                let siblings: Vec<_> = NAMES.iter().filter(|(known, _)| known == root).collect();
                if siblings.is_empty() {
                    return Self::Nothing(format!(
                        "unknown field `{path}`: a field starts with `args`, `child`, `intent`, `writ`, `tool` or `world`"
                    ));
                }
                let names: Vec<_> = siblings.iter().map(|(root, name)| format!("`{root}.{name}`")).collect();
                let args = if *root == "intent" { ", `intent.args.<path>`" } else { "" };
                Self::Nothing(format!("unknown field `{path}`: expected one of {}{args}", names.join(", ")))
            }
            [] => Self::Nothing("a field without a name".into()),
        }
    }

    /// The name of the argument that it reads, if it reads one.
    pub(super) fn argument(&self) -> Option<&str> {
        match self {
            Self::Args(steps) => steps.first().map(String::as_str),
            _ => None,
        }
    }
}
