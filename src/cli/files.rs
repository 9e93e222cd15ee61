use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::failure::{Done, Failure};

/// Writes a text and a line's end to a file that appears whole, or to standard output.
pub(super) fn write(path: Option<&Path>, text: &str) -> Done {
    let Some(path) = path else {
        return match writeln!(io::stdout(), "{text}") {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::failed(format!("writing the output: {error}")))
            }
            _ => Ok(()),
        };
    };
    let mut unnamed = path.as_os_str().to_owned();
    unnamed.push(format!(".{}.new", std::process::id()));
    let written = fs::write(&unnamed, format!("{text}\n")).and_then(|()| fs::rename(&unnamed, path));
    written.map_err(|error| {
        drop(fs::remove_file(&unnamed));
        Failure::failed(format!("writing `{}`: {error}", path.display()))
    })
}
