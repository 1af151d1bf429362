//! What people write: on the command line, into a pipe, or into their editor.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use guts_schema::limits::COMMENT_BYTES_MAX;
use guts_schema::names::NameError;

use super::Context;
use crate::Error;

/// The file of `GUTS_HOME` that the editor writes. What was written last stays there: it is not
/// lost when it could not be sent.
const DRAFT: &str = "TEXT.md";

/// A text as it was given: `-` stands for what comes from stdin.
pub fn given(text: String) -> Result<String, Error> {
    if text == "-" { piped(std::io::stdin()) } else { Ok(text) }
}

/// A text as it was given, or else as it is written now.
pub fn given_or_written(
    context: &Context,
    text: Option<String>,
    former: &str,
) -> Result<String, Error> {
    match text {
        Some(text) => given(text),
        None => written(context, former),
    }
}

/// What is written in the editor that `VISUAL` or `EDITOR` names, beginning with what was there.
pub fn written(context: &Context, former: &str) -> Result<String, Error> {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    let editor = named.into_iter().find(|editor| !editor.trim().is_empty());
    edit(editor.as_deref().unwrap_or("vi"), &context.home.path(DRAFT), former)
}

fn piped(from: impl Read) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let most = (COMMENT_BYTES_MAX as u64).saturating_add(1);
    let read = from.take(most).read_to_end(&mut bytes);
    read.map_err(|error| Error::Usage(format!("stdin cannot be read: {error}")))?;
    if bytes.len() > COMMENT_BYTES_MAX {
        return Err(Error::Usage(NameError::Text.to_string()));
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Error::Usage("what comes from stdin is no text".into()))?;
    Ok(text.trim_end().to_owned())
}

/// Starts an editor as git does: by the shell, since people give it with options.
fn edit(editor: &str, file: &Path, former: &str) -> Result<String, Error> {
    let wrong = |error: std::io::Error| Error::Home {
        path: file.display().to_string(),
        why: error.to_string(),
    };
    std::fs::write(file, former).map_err(wrong)?;
    let script = format!("{editor} \"$@\"");
    let ended = Command::new("sh").args(["-c", &script, editor]).arg(file).status();
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => {
            let why = format!("the editor, {editor}, ended with {status}: nothing is sent");
            return Err(Error::Usage(why));
        }
        Err(error) => return Err(Error::Usage(format!("no editor can be started: {error}"))),
    }
    let file = std::fs::File::open(file).map_err(wrong)?;
    piped(file)
}

#[cfg(test)]
mod tests;
