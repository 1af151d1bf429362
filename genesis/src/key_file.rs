//! Key files as CometBFT writes them, as text.
use thiserror::Error;

use crate::json::{self, JsonError, Object};
use crate::{Height, KeyError, PrivateKey, PublicKey, Round, Signature};

/// Why a key file is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// Not the JSON of such a file.
    #[error("key file: {0}")]
    Json(#[from] JsonError),
    /// A number or signature that cannot be.
    #[error("key file: {0}")]
    Value(String),
}

impl From<KeyError> for KeyFileError {
    fn from(error: KeyError) -> KeyFileError {
        KeyFileError::Value(error.to_string())
    }
}

/// Reads the text of `priv_validator_key.json`. Only the private key counts; address and public
/// key are there for people.
pub fn parse_validator_key(text: &str) -> Result<PrivateKey, KeyFileError> {
    Ok(Object::parse("", text)?.private_key("priv_key")?)
}

/// The text of `priv_validator_key.json`.
pub fn print_validator_key(key: &PrivateKey) -> String {
    let public = key.public_key();
    json::indent(&format!(
        "{{\"address\":\"{}\",\"pub_key\":{},\"priv_key\":{}}}",
        public.address(),
        json::public_key(&public),
        json::private_key(key)
    ))
}

/// Reads the text of `node_key.json`. The seed of the key is also that of the libp2p identity.
pub fn parse_node_key(text: &str) -> Result<PrivateKey, KeyFileError> {
    Ok(Object::parse("", text)?.private_key("priv_key")?)
}

/// The text of `node_key.json`.
pub fn print_node_key(key: &PrivateKey) -> String {
    format!("{{\"priv_key\":{}}}", json::private_key(key))
}

/// CometBFT's node id: the address of the node key in lower case.
pub fn node_id(key: &PublicKey) -> String {
    hex::encode(key.address().as_bytes())
}

/// The libp2p peer id of an ed25519 node key (`12D3Koo...`); none for other key types.
pub fn peer_id(key: &PublicKey) -> Option<String> {
    let PublicKey::Ed25519(key) = key else { return None };
    // An identity multihash (0x00, 36 bytes) of the protobuf key: type 1, 32 bytes of data.
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend_from_slice(key);
    Some(base58(&bytes))
}

fn base58(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    digits.extend(std::iter::repeat_n(0, zeros));
    digits.iter().rev().map(|digit| char::from(ALPHABET[usize::from(*digit)])).collect()
}

/// What a signer must not forget: the last thing it signed (`priv_validator_state.json`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastSign {
    /// Height signed at; zero for nothing yet.
    pub height: Height,
    /// Round signed in.
    pub round: Round,
    /// 1 proposal, 2 prevote, 3 precommit; 0 for nothing yet.
    pub step: i8,
    /// The signature; empty if only the intent is known.
    pub signature: Signature,
    /// What was signed.
    pub sign_bytes: Vec<u8>,
}

/// Why a signer refuses to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignRefusal {
    /// Something was signed at a later height.
    #[error("a later height was signed already")]
    HeightRegression,
    /// Something was signed in a later round of the height.
    #[error("a later round of the height was signed already")]
    RoundRegression,
    /// Something was signed in a later step of the round.
    #[error("a later step of the round was signed already")]
    StepRegression,
    /// The same step again, but what was signed is not known.
    #[error("the step was signed, but the signed bytes are not known")]
    NoSignBytes,
    /// The same step again, but the signature is not known.
    #[error("the step was signed, but the signature is not known")]
    SignatureMissing,
}

impl SignRefusal {
    /// A short, stable name of the reason.
    pub fn kind(&self) -> &'static str {
        match self {
            SignRefusal::HeightRegression => "height-regression",
            SignRefusal::RoundRegression => "round-regression",
            SignRefusal::StepRegression => "step-regression",
            SignRefusal::NoSignBytes => "no-sign-bytes",
            SignRefusal::SignatureMissing => "signature-missing",
        }
    }
}

impl LastSign {
    /// Whether something may be signed here: false means a new step, true the same step again,
    /// where only the same bytes (but for their time) may be signed.
    pub fn check(&self, height: Height, round: Round, step: i8) -> Result<bool, SignRefusal> {
        if self.height != height {
            let regress = self.height > height;
            return if regress { Err(SignRefusal::HeightRegression) } else { Ok(false) };
        }
        if self.round != round {
            let regress = self.round > round;
            return if regress { Err(SignRefusal::RoundRegression) } else { Ok(false) };
        }
        if self.step > step {
            return Err(SignRefusal::StepRegression);
        }
        if self.step < step {
            return Ok(false);
        }
        if self.sign_bytes.is_empty() {
            return Err(SignRefusal::NoSignBytes);
        }
        if self.signature.is_empty() {
            return Err(SignRefusal::SignatureMissing);
        }
        Ok(true)
    }

    /// Reads the text of `priv_validator_state.json`.
    pub fn parse(text: &str) -> Result<LastSign, KeyFileError> {
        let state = Object::parse("", text)?;
        let value = |error: crate::NumberError| KeyFileError::Value(error.to_string());
        let step = state.int32("step")?;
        Ok(LastSign {
            height: Height::from_wire(state.int64("height")?).map_err(value)?,
            round: Round::from_wire(state.int32("round")?).map_err(value)?,
            step: i8::try_from(step).map_err(|_| KeyFileError::Value(format!("step {step}")))?,
            signature: Signature::from_slice(&state.base64("signature")?)?,
            sign_bytes: state.hex("signbytes")?,
        })
    }

    /// The text of `priv_validator_state.json`.
    pub fn print(&self) -> String {
        let mut out = format!(
            "{{\"height\":\"{}\",\"round\":{},\"step\":{}",
            self.height, self.round, self.step
        );
        if !self.signature.is_empty() {
            let signature = json::base64(self.signature.as_bytes());
            out.push_str(&format!(",\"signature\":\"{signature}\""));
        }
        if !self.sign_bytes.is_empty() {
            out.push_str(&format!(",\"signbytes\":\"{}\"", hex::encode_upper(&self.sign_bytes)));
        }
        out.push('}');
        json::indent(&out)
    }
}
