//! OpenSSH private key files.

use std::io::IsTerminal;
use std::path::Path;

use guts_schema::Key;
use guts_schema::sign::SecretKey;
use guts_schema::sshsig::key_to_text;
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};

use crate::Error;
use crate::home::Home;

/// Reads an ed25519 key; asks for the passphrase of an encrypted one.
pub fn read(path: &Path, text: &str) -> Result<SecretKey, Error> {
    decrypt(path, text, || ask(path))
}

/// Reads an ed25519 key with the passphrase that `ask` gives, if one is needed.
pub fn decrypt(
    path: &Path,
    text: &str,
    ask: impl FnOnce() -> Result<String, String>,
) -> Result<SecretKey, Error> {
    let wrong = |why: String| Error::Key(format!("{}: {why}", path.display()));
    let key = PrivateKey::from_openssh(text);
    // The library does not know other kinds of key at all.
    let mut key = key.map_err(|error| {
        let way_out = "make one with 'ssh-keygen -t ed25519'";
        wrong(format!("no OpenSSH ed25519 private key ({error}): {way_out}"))
    })?;
    if key.is_encrypted() {
        let passphrase = ask().map_err(&wrong)?;
        key = key.decrypt(passphrase).map_err(|_| wrong("wrong passphrase".into()))?;
    }
    match key.key_data() {
        KeypairData::Ed25519(pair) => Ok(SecretKey::from_seed(pair.private.to_bytes())),
        _ => Err(wrong("not an ed25519 key: make one with 'ssh-keygen -t ed25519'".into())),
    }
}

fn ask(path: &Path) -> Result<String, String> {
    if !std::io::stdin().is_terminal() {
        return Err("is encrypted and there is no terminal to ask for its passphrase: add it to \
                    ssh-agent and use --key agent"
            .into());
    }
    rpassword::prompt_password(format!("Passphrase of {}: ", path.display()))
        .map_err(|error| error.to_string())
}

/// Makes a key in `GUTS_HOME`, and the file of its public half beside it.
pub fn make(home: &Home, name: &str) -> Result<Key, Error> {
    let secret = SecretKey::from_seed(rand::random());
    let pair = Ed25519Keypair::from_seed(&secret.seed());
    let text = PrivateKey::new(KeypairData::Ed25519(pair), "guts")
        .and_then(|key| key.to_openssh(LineEnding::LF))
        .map_err(|error| Error::Key(error.to_string()))?;
    home.write(name, text.as_bytes())?;
    let public = format!("{} guts\n", key_to_text(&secret.public()));
    home.write(&format!("{name}.pub"), public.as_bytes())?;
    Ok(secret.public())
}
