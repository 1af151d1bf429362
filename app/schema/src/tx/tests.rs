//! Building: what is drafted is what validates.
use super::*;
use crate::validate::{ChainRules, validate};

#[test]
fn kinds_have_the_numbers_of_their_fields() {
    for kind in ActionKind::ALL {
        assert_eq!(ActionKind::from_name(kind.name()), Some(*kind));
        assert_eq!(ActionKind::from_number(kind.number()), Some(*kind));
    }
    assert!(ActionKind::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
    let actor = AccountId::new([1; 20]);
    let action = Action::Transfer { actor, to: actor, amount: 1 };
    let bytes = action.to_proto().encode_to_vec();
    // Field 1 with 20 bytes, then the tag of the kind, two bytes long from 16 on.
    let tag = u32::from(bytes[22] & 0x7f) | u32::from(bytes[23]) << 7;
    assert_eq!(tag >> 3, ActionKind::Transfer.number());
}

#[test]
fn the_size_is_known_before_signing() {
    let secret = SecretKey::from_seed([1; 32]);
    let payer = AccountId::of_key(&secret.public());
    let action = Action::CommitHandle { actor: payer, commitment: Hash::new([2; 32]) };
    let draft = Draft::new("c", payer, 3, &[action]).fee(9).valid_until_s(7);
    let form = SignatureForm::Sshsig;
    let signature = secret.sign(&draft.message(form));
    let signed = draft.clone().signature(payer, secret.public(), form, signature);
    assert_eq!(draft.size_with(1), signed.encode().len() as u64);
    assert_eq!(signed.size_with(1), signed.encode().len() as u64);
    let tx = validate(&signed.encode(), &ChainRules::new("c")).expect("good");
    assert_eq!((tx.nonce, tx.valid_until_s, tx.payment), (3, Some(7), Payment::Fee(9)));
    assert_eq!(tx.size, signed.encode().len() as u64);
}
