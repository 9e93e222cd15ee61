//! What the explorer knows of project manifests: one table of file names, and a reader for each form.
//!
//! The readers look for the few members that a report names. They are no validators: the TOML and XML readers go
//! line by line and tag by tag and skip what they do not know, and what a reader cannot make out is left out.

mod json;
mod lines;
mod toml;

/// What a manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub name: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    /// What the project needs at run time, by name.
    pub dependencies: Vec<String>,
    /// What only its development needs, by name.
    pub dev_dependencies: Vec<String>,
    /// Files that programs or libraries start in, relative to the manifest.
    pub starts: Vec<String>,
    /// Labelled lists that only this form has, such as targets or workspace members.
    pub others: Vec<(&'static str, Vec<String>)>,
}

/// One row of the table.
pub(super) struct Manifest {
    /// The file's name; `*.x` for every file with that ending.
    name: &'static str,
    /// Whether it is worth a try when folders cannot be listed.
    pub common: bool,
    read: fn(&str) -> Result<Facts, String>,
}

static MANIFESTS: &[Manifest] = &[
    Manifest { name: "Cargo.toml", common: true, read: toml::cargo },
    Manifest { name: "package.json", common: true, read: json::npm },
    Manifest { name: "pyproject.toml", common: true, read: toml::python },
    Manifest { name: "go.mod", common: true, read: lines::go },
    Manifest { name: "pom.xml", common: false, read: lines::maven },
    Manifest { name: "build.gradle", common: false, read: lines::gradle },
    Manifest { name: "build.gradle.kts", common: false, read: lines::gradle },
    Manifest { name: "composer.json", common: false, read: json::composer },
    Manifest { name: "setup.py", common: false, read: lines::setup_py },
    Manifest { name: "*.csproj", common: false, read: lines::csproj },
    Manifest { name: "Gemfile", common: false, read: lines::gemfile },
    Manifest { name: "CMakeLists.txt", common: false, read: lines::cmake },
    Manifest { name: "requirements.txt", common: false, read: lines::requirements },
    Manifest { name: "Makefile", common: false, read: lines::makefile },
    Manifest { name: "Dockerfile", common: false, read: lines::dockerfile },
];

impl Manifest {
    /// What a file of this form says.
    ///
    /// # Errors
    /// Why the text is not of this form.
    pub(super) fn read(&self, text: &str) -> Result<Facts, String> {
        (self.read)(text.trim_start_matches('\u{feff}'))
    }
}

/// The row for a file, and its rank in the table: the lower, the more a manifest says of a project.
pub(super) fn manifest_of(path: &str) -> Option<(usize, &'static Manifest)> {
    let name = path.rsplit('/').next().unwrap_or(path);
    MANIFESTS.iter().enumerate().find(|(_, manifest)| match manifest.name.strip_prefix('*') {
        Some(ending) => name.len() > ending.len() && name.ends_with(ending),
        None => name == manifest.name,
    })
}

/// Names to try when folders cannot be listed.
pub(super) fn common() -> impl Iterator<Item = &'static str> {
    MANIFESTS.iter().filter(|manifest| manifest.common).map(|manifest| manifest.name)
}

/// A requirement's name alone: `serde>=1.0; extra` is `serde`.
fn requirement_name(text: &str) -> Option<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || "-_.@/".contains(c))).unwrap_or(text.len());
    text.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// What stands between the first pair of quotes.
fn quoted(text: &str) -> Option<&str> {
    let start = text.find(['"', '\''])?;
    let quote = text.get(start..)?.chars().next()?;
    text.get(start + 1..)?.split_once(quote).map(|(inside, _)| inside)
}

fn push(list: &mut Vec<String>, item: impl Into<String>) {
    let item = item.into();
    if !item.is_empty() && !list.contains(&item) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(path: &str, text: &str) -> Facts {
        manifest_of(path).unwrap().1.read(text).unwrap()
    }

    #[test]
    fn cargo_manifests_are_read() {
        let text = "[package]\nname = \"krate\" # why\nversion.workspace = true\ndescription = \"Says # things\"\n\
            [lib]\npath = \"src/it.rs\"\n[[bin]]\nname = \"b\"\npath = \"src/bin/b.rs\"\n\
            [dependencies]\nserde = { version = \"1\" }\ntokio.workspace = true\n[dependencies.rand]\nversion = \"1\"\n\
            [dev-dependencies]\nproptest = \"1\"\n[workspace]\nmembers = [\n  \"a\", # first\n  \"b/*\",\n]\n";
        let facts = facts("Cargo.toml", text);
        assert_eq!((facts.name.as_deref(), facts.version), (Some("krate"), None));
        assert_eq!(facts.description.as_deref(), Some("Says # things"));
        assert_eq!(facts.dependencies, ["serde", "tokio", "rand"]);
        assert_eq!(facts.dev_dependencies, ["proptest"]);
        assert_eq!(facts.starts, ["src/it.rs", "src/bin/b.rs"]);
        assert_eq!(facts.others, [("workspace members", vec!["a".to_owned(), "b/*".to_owned()])]);
    }

    #[test]
    fn python_manifests_are_read() {
        let text = "[project]\nname = \"snake\"\nversion = \"0.3\"\ndependencies = [\n 'requests>=2',\n \"click\",\n]\n\
            [project.scripts]\nsnake = \"snake.cli:main\"\n[tool.poetry.dependencies]\npython = \"^3\"\nrich = \"*\"\n";
        let facts = facts("pyproject.toml", text);
        assert_eq!(facts.dependencies, ["requests", "click", "rich"]);
        assert_eq!(facts.starts, ["snake/cli.py"]);
        let text = "from x import y\nsetup(\n    name='old',\n    version='1.2',\n    install_requires=['six', \"attrs>=1\"],\n)";
        let facts = self::facts("setup.py", text);
        assert_eq!((facts.name.as_deref(), facts.version.as_deref()), (Some("old"), Some("1.2")));
        assert_eq!(facts.dependencies, ["six", "attrs"]);
        assert_eq!(
            self::facts("requirements.txt", "# a\nflask==1\n-r other\n\nnumpy\n").dependencies,
            ["flask", "numpy"]
        );
    }

    #[test]
    fn json_manifests_are_read_and_malformed_ones_say_so() {
        let text = r#"{"name":"@x/y","version":"2.0.0","main":"./lib/i.js","bin":{"y":"bin/y.js"},
            "dependencies":{"left-pad":"1"},"devDependencies":{"jest":"1"},"scripts":{"test":"jest"}}"#;
        let facts = facts("package.json", text);
        assert_eq!(facts.starts, ["lib/i.js", "bin/y.js"]);
        assert_eq!(
            (&facts.dependencies[..], &facts.dev_dependencies[..]),
            (&["left-pad".into()][..], &["jest".into()][..])
        );
        assert_eq!(facts.others, [("scripts", vec!["test".to_owned()])]);
        for text in ["{", "[]", "3", r#"{"name": "#] {
            assert!(manifest_of("package.json").unwrap().1.read(text).is_err(), "{text}");
        }
        assert_eq!(self::facts("package.json", r#"{"name": 3, "bin": [], "dependencies": "x"}"#), Facts::default());
        assert_eq!(
            self::facts("composer.json", r#"{"name":"a/b","require":{"php":"8","c/d":"1"}}"#).dependencies,
            ["c/d", "php"]
        );
    }

    #[test]
    fn other_manifests_are_read() {
        let go = facts(
            "go.mod",
            "module example.org/m\n\ngo 1.22\nrequire a.b/c v1.0.0\nrequire (\n\td.e/f v2 // indirect\n)\n",
        );
        assert_eq!(
            (go.name.as_deref(), &go.dependencies[..]),
            (Some("example.org/m"), &["a.b/c".to_owned(), "d.e/f".to_owned()][..])
        );
        let maven = facts(
            "pom.xml",
            "<project><parent><artifactId>p</artifactId><version>9</version></parent>\
            <artifactId>app</artifactId><version>1.1</version><dependencies><dependency><artifactId>junit</artifactId>\
            <version>4</version></dependency></dependencies></project>",
        );
        assert_eq!((maven.name.as_deref(), maven.version.as_deref()), (Some("app"), Some("1.1")));
        assert_eq!(maven.dependencies, ["junit"]);
        let gradle = facts(
            "build.gradle.kts",
            "version = \"3\"\ndependencies {\n implementation(\"g:a:1\")\n testImplementation 'g:t:1'\n}",
        );
        assert_eq!(
            (&gradle.dependencies[..], &gradle.dev_dependencies[..]),
            (&["g:a".to_owned()][..], &["g:t".to_owned()][..])
        );
        let csproj = facts(
            "App.csproj",
            "<Project><PropertyGroup><AssemblyName>App</AssemblyName></PropertyGroup>\
            <ItemGroup><PackageReference Include=\"Dapper\" Version=\"2\" /></ItemGroup></Project>",
        );
        assert_eq!((csproj.name.as_deref(), &csproj.dependencies[..]), (Some("App"), &["Dapper".to_owned()][..]));
        assert_eq!(facts("Gemfile", "gem 'rails', '7'\n# gem 'no'\n").dependencies, ["rails"]);
        let cmake = facts("CMakeLists.txt", "project(engine VERSION 1.4 LANGUAGES C)\nadd_executable(run main.c)\n");
        assert_eq!((cmake.name.as_deref(), cmake.version.as_deref()), (Some("engine"), Some("1.4")));
        assert_eq!(
            facts("Makefile", "X := 1\n.PHONY: all\nall: build\n\techo a:b\nbuild:\n").others,
            [("targets", vec!["all".to_owned(), "build".to_owned()])]
        );
        assert_eq!(
            facts("Dockerfile", "FROM debian:13 AS x\nRUN y\nEXPOSE 80\n").others[0],
            ("base images", vec!["debian:13".to_owned()])
        );
    }

    #[test]
    fn hostile_text_never_stops_a_reader() {
        let texts = [
            "",
            "\u{feff}",
            "\0\0",
            "[",
            "[[",
            "= =",
            "name =",
            "name = \"",
            "x = [",
            "<",
            "<a",
            "</",
            "<dependency>",
            "(",
            "project(",
            "gem '",
            "é\"ü'",
            "require (",
            "\"\"\"",
            "FROM",
            ":",
            "setup(name='",
            "d = [ \"é",
        ];
        for manifest in MANIFESTS {
            for text in texts {
                let _ = manifest.read(text);
            }
        }
    }
}
