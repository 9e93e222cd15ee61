use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The most bytes that a skill's name may have.
const MAX_NAME: usize = 60;

/// A text that cannot name a skill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("skill name `{name}`: expected 1 to {MAX_NAME} of a-z 0-9 _ -, the first a letter or digit")]
pub struct SkillNameError {
    /// The text, cut after 160 characters.
    pub name: String,
}

/// A skill's name: 1 to 60 of `[a-z0-9_-]`, of which the first is a letter or digit. It can name a file anywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SkillName(String);

impl SkillName {
    /// Reads a name.
    ///
    /// # Errors
    /// When it is empty, too long, or has another character.
    pub fn new(name: impl Into<String>) -> Result<Self, SkillNameError> {
        let name = name.into();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = name.bytes().next().is_some_and(fits);
        if !first || name.len() > MAX_NAME || !name.bytes().all(|byte| fits(byte) || matches!(byte, b'_' | b'-')) {
            return Err(SkillNameError { name: crate::canon::shown(&name) });
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SkillName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for SkillName {
    type Err = SkillNameError;
    fn from_str(text: &str) -> Result<Self, SkillNameError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for SkillName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
