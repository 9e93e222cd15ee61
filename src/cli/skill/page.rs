use super::registry::Kept;
use crate::cli::budget;

/// A skill in lines, as it is shown and compared.
pub(super) fn page(Kept { definition: skill, hash }: &Kept) -> String {
    let tools: Vec<_> = skill.tools.iter().map(ToString::to_string).collect();
    let tools = if tools.is_empty() { "no tool".into() } else { tools.join(", ") };
    let mut page = format!("skill      {}\nhash       {hash}\n", skill.reference());
    page += &format!("tools      {tools}\neffects    up to {}\n", skill.effect_ceiling);
    page += &format!("budget     {}\n", budget::cap(&skill.budget));
    let parameters = serde_json::to_string_pretty(&skill.parameters).unwrap_or_default();
    for (name, text) in [("parameters", parameters.as_str()), ("instructions", &skill.instructions)] {
        page += name;
        page.push('\n');
        text.lines().for_each(|line| page += &format!("  {line}\n"));
    }
    page
}
