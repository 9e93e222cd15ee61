use std::{borrow::Cow, cell::OnceCell};

use serde_json::Value;

use super::{
    ChildRun, PolicyInput,
    arguments::Declared,
    field::{ChildField, Field, Source, Text},
};
use crate::predicate::{Fields, Predicate, descend};

/// What rules read of one call.
pub(super) struct InputFields<'a> {
    input: PolicyInput<'a>,
    /// Texts, made when the first rule asks.
    texts: [OnceCell<Value>; Text::COUNT],
    /// For each argument that some rule reads, whether the call has it.
    present: Vec<bool>,
}

impl<'a> InputFields<'a> {
    pub(super) fn new(input: PolicyInput<'a>, arguments: &[String]) -> Self {
        let present = if arguments.is_empty() {
            Vec::new()
        } else {
            let declared = Declared::of(&input.contract.schema);
            let args = input.args();
            arguments.iter().map(|name| declared.has(name) || args.get(name).is_some()).collect()
        };
        Self { input, texts: [const { OnceCell::new() }; Text::COUNT], present }
    }

    fn has(&self, field: &Field) -> bool {
        match (field.argument, &field.source) {
            (Some(argument), _) => self.present.get(argument).copied().unwrap_or(false),
            (None, Source::Child(_)) => self.input.child.is_some(),
            _ => true,
        }
    }

    fn child(&self, field: ChildField) -> Option<Value> {
        let ChildRun { quote, writ } = self.input.child?;
        Some(match field {
            ChildField::Budget(dimension) => writ.budget.get(dimension).into(),
            ChildField::Children => quote.children.into(),
            ChildField::Depth => writ.delegation.depth.into(),
            ChildField::Descendants => quote.descendants.into(),
            ChildField::EffectCeiling => writ.effect_ceiling.as_str().into(),
            ChildField::Generation => quote.generation.into(),
            ChildField::Tools => writ.scopes.iter().map(|scope| scope.tool.as_str()).collect(),
        })
    }

    fn text(&self, text: Text) -> Option<&Value> {
        let make = || {
            let Self { input, .. } = self;
            let (record, writ, contract) = (input.intent.record(), input.writ(), input.contract);
            Value::String(match text {
                Text::IntentAuthor => record.author.clone(),
                Text::IntentKind => record.kind.as_str().into(),
                Text::IntentTarget => record.target.as_str().into(),
                Text::ToolEffect => contract.effect.as_str().into(),
                Text::ToolRisk => contract.risk.as_str().into(),
                Text::ToolTouches => contract.touches.as_str().into(),
                Text::ToolVersion => contract.version.clone(),
                Text::WritEffectCeiling => writ.effect_ceiling.as_str().into(),
                Text::WritId => input.chain.id().to_string(),
                Text::WritIssuer => writ.issuer.name.clone(),
                Text::WritIssuerKey => writ.issuer.key.to_string(),
                Text::WritSubject => writ.subject.name.clone(),
                Text::WritSubjectKey => writ.subject.key.to_string(),
                Text::WritTenantId => writ.tenant.clone(),
            })
        };
        Some(self.texts.get(text as usize)?.get_or_init(make))
    }
}

impl Fields<Field> for InputFields<'_> {
    fn field(&self, field: &Field) -> Option<Cow<'_, Value>> {
        match &field.source {
            Source::Args(steps) => descend(steps, self.input.args()).map(Cow::Borrowed),
            Source::Child(field) => self.child(*field).map(Cow::Owned),
            Source::Text(text) => self.text(*text).map(Cow::Borrowed),
            Source::Version(id) => Some(Cow::Owned(self.input.world.get(id)?.version.into())),
            Source::Value(id, steps) => descend(steps, self.input.world.get(id)?.value.as_deref()?).map(Cow::Borrowed),
            Source::Nothing(_) => None,
        }
    }

    fn considers(&self, alternative: &Predicate<Field>) -> bool {
        applies(alternative, &|field| self.has(field))
    }
}

/// Whether a condition is about calls that have the fields which `has` names.
///
/// A comparison of an argument needs that argument, one of a child a delegation, `all` and `not` what their members need, and `any` what one does.
pub(super) fn applies(condition: &Predicate<Field>, has: &dyn Fn(&Field) -> bool) -> bool {
    match condition {
        Predicate::All(members) => members.iter().all(|member| applies(member, has)),
        Predicate::Any(members) => members.is_empty() || members.iter().any(|member| applies(member, has)),
        Predicate::Not(member) => applies(member, has),
        Predicate::Leaf(leaf) => has(&leaf.field),
    }
}
