//! What the explorer knows of languages: one table, by file extension.

/// Something to count in a language's files.
pub(super) struct Probe {
    /// What a match is, in the plural.
    pub what: &'static str,
    /// A regular expression for the `grep` tool.
    pub pattern: &'static str,
}

/// One row of the table.
pub(super) struct Language {
    pub name: &'static str,
    pub extensions: &'static [&'static str],
    /// Where programs of the language usually start: a path, or `*/name` for a file of that name anywhere.
    pub starts: &'static [&'static str],
    /// What to search for; empty for what is not a programming language.
    pub probes: &'static [Probe],
}

impl Language {
    /// Whether it is a programming language, as opposed to prose, data and markup.
    pub(super) fn is_code(&self) -> bool {
        !self.probes.is_empty()
    }

    /// A glob for its files.
    pub(super) fn glob(&self) -> String {
        match self.extensions {
            [one] => format!("**/*.{one}"),
            many => format!("**/*.{{{}}}", many.join(",")),
        }
    }
}

/// The language of a file, by its extension.
pub(super) fn language_of(path: &str) -> Option<&'static Language> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    LANGUAGES.iter().find(|language| !stem.is_empty() && language.extensions.contains(&extension.as_str()))
}

const fn language(
    name: &'static str,
    extensions: &'static [&'static str],
    starts: &'static [&'static str],
    probes: &'static [Probe],
) -> Language {
    Language { name, extensions, starts, probes }
}

const fn probe(what: &'static str, pattern: &'static str) -> Probe {
    Probe { what, pattern }
}

const SCRIPT: &[Probe] = &[
    probe("tests", r"^\s*(it|test|describe)\("),
    probe("exports", r"^export |module\.exports"),
    probe("uses of `eval`", r"\beval\("),
];
const C_FAMILY: &[Probe] = &[
    probe("tests", r"^\s*(TEST|TEST_F|TEST_CASE)\("),
    probe("uses of unbounded copies", r"\b(strcpy|strcat|sprintf|gets)\("),
];
const JVM: &[Probe] = &[probe("tests", r"@Test\b"), probe("types", r"\b(class|interface|object|enum|record) [A-Z]")];

static LANGUAGES: &[Language] = &[
    language(
        "Rust",
        &["rs"],
        &["src/main.rs", "src/lib.rs", "*/main.rs", "*/lib.rs"],
        &[
            probe("tests", r"#\[(\w+::)?test\b"),
            probe("public items", r"^\s*pub (async )?(fn|struct|enum|trait|type|const|static|mod|union) "),
            probe("uses of `unsafe`", r"\bunsafe (\{|fn|impl|trait|extern)"),
        ],
    ),
    language(
        "Python",
        &["py", "pyi"],
        &["__main__.py", "main.py", "app.py", "manage.py", "*/__main__.py", "*/__init__.py"],
        &[
            probe("tests", r"^\s*(async )?def test_"),
            probe("functions and classes", r"^(async def|def|class) "),
            probe("uses of `eval` or `exec`", r"\b(eval|exec)\("),
        ],
    ),
    language(
        "JavaScript",
        &["js", "mjs", "cjs", "jsx"],
        &["index.js", "main.js", "server.js", "app.js", "src/index.js", "src/main.js"],
        SCRIPT,
    ),
    language(
        "TypeScript",
        &["ts", "tsx", "mts", "cts"],
        &["index.ts", "src/index.ts", "src/main.ts", "src/index.tsx", "src/main.tsx"],
        SCRIPT,
    ),
    language(
        "Go",
        &["go"],
        &["main.go", "*/main.go"],
        &[
            probe("tests", r"^func (Test|Benchmark|Fuzz)\w*\("),
            probe("exported functions and types", r"^(func (\([^)]*\) )?|type )[A-Z]"),
            probe("uses of `unsafe`", r"\bunsafe\."),
        ],
    ),
    language("Java", &["java"], &["*/Main.java", "*/Application.java"], JVM),
    language("Kotlin", &["kt", "kts"], &["*/Main.kt", "*/Application.kt"], JVM),
    language("Scala", &["scala", "sc"], &["*/Main.scala"], JVM),
    language("C", &["c", "h"], &["main.c", "src/main.c", "*/main.c"], C_FAMILY),
    language(
        "C++",
        &["cpp", "cc", "cxx", "hpp", "hh", "hxx"],
        &["main.cpp", "src/main.cpp", "*/main.cpp", "*/main.cc"],
        C_FAMILY,
    ),
    language(
        "C#",
        &["cs"],
        &["Program.cs", "*/Program.cs"],
        &[
            probe("tests", r"\[(Fact|Theory|Test|TestMethod)\b"),
            probe("public types", r"\bpublic .*(class|interface|struct|enum|record) "),
        ],
    ),
    language(
        "Ruby",
        &["rb"],
        &["config.ru", "*/application.rb"],
        &[probe("tests", r"^\s*(def test_|it ['\x22])"), probe("classes and modules", r"^\s*(class|module) [A-Z]")],
    ),
    language(
        "PHP",
        &["php"],
        &["index.php", "public/index.php"],
        &[probe("tests", r"function test\w*\("), probe("classes", r"^\s*(abstract |final )?(class|interface|trait) ")],
    ),
    language(
        "Swift",
        &["swift"],
        &["*/main.swift"],
        &[
            probe("tests", r"func test\w*\("),
            probe("public items", r"\bpublic (func|class|struct|enum|protocol|var|let) "),
        ],
    ),
    language(
        "Elixir",
        &["ex", "exs"],
        &["mix.exs"],
        &[probe("tests", r"^\s*test \x22"), probe("modules", r"^\s*defmodule ")],
    ),
    language("Haskell", &["hs"], &["app/Main.hs", "*/Main.hs"], &[probe("modules", r"^module ")]),
    language("Lua", &["lua"], &["init.lua", "main.lua"], &[probe("functions", r"\bfunction\b")]),
    language(
        "Zig",
        &["zig"],
        &["src/main.zig", "build.zig"],
        &[probe("tests", r"^\s*test "), probe("public functions", r"\bpub fn ")],
    ),
    language(
        "Shell",
        &["sh", "bash", "zsh"],
        &[],
        &[probe("functions in shell scripts", r"^\s*(function )?\w+ ?\(\) ?\{")],
    ),
    language("SQL", &["sql"], &[], &[probe("tables", r"(?i)create table")]),
    language("Markdown", &["md", "markdown"], &[], &[]),
    language("reStructuredText", &["rst"], &[], &[]),
    language("HTML", &["html", "htm"], &[], &[]),
    language("CSS", &["css", "scss", "sass", "less"], &[], &[]),
    language("JSON", &["json"], &[], &[]),
    language("TOML", &["toml"], &[], &[]),
    language("YAML", &["yaml", "yml"], &[], &[]),
    language("XML", &["xml"], &[], &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_the_extension_alone() {
        assert_eq!(language_of("src/Ünïcode.RS").unwrap().name, "Rust");
        assert_eq!(language_of("a.tar/README").map(|language| language.name), None);
        assert_eq!(language_of(".rs").map(|language| language.name), None);
        assert_eq!(language_of("index.mjs").unwrap().glob(), "**/*.{js,mjs,cjs,jsx}");
    }

    #[test]
    fn no_extension_has_two_languages() {
        let mut all: Vec<_> = LANGUAGES.iter().flat_map(|language| language.extensions).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
