//! Work is found on all cores; bills name the way that was asked for, and have bounds.
use super::*;

mod lies;
mod outcomes;

struct Silent;

impl Progress for Silent {
    fn begins(&self, _bits: u32, _seconds: u64) {}
    fn work(&self, _tried: u64, _expected: u64) {}
}

#[test]
fn a_solution_is_found() {
    let puzzle = Puzzle::new("c", &AccountId::new([1; 20]), 0, &Hash::new([2; 32]));
    for bits in [0, 1, 12] {
        let solution = solve(&puzzle, bits, &Silent);
        assert!(puzzle.bits(solution) >= bits, "{bits}");
    }
}

/// Keeps what it is told.
#[derive(Default)]
struct Kept(std::sync::Mutex<Vec<(u64, u64)>>);

impl Progress for Kept {
    fn begins(&self, _bits: u32, _seconds: u64) {}
    fn work(&self, tried: u64, expected: u64) {
        self.0.lock().expect("whole").push((tried, expected));
    }
}

#[test]
fn progress_is_told_while_a_solution_is_sought() {
    let puzzle = Puzzle::new("c", &AccountId::new([1; 20]), 0, &Hash::new([2; 32]));
    let kept = Kept::default();
    assert!(puzzle.bits(solve(&puzzle, 16, &kept)) >= 16);
    let told = kept.0.into_inner().expect("whole");
    assert!(told.iter().all(|(_, expected)| *expected == 1 << 16), "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
    // The last is told when one is found.
    assert!(told.last().is_some_and(|(tried, _)| *tried > 0), "{told:?}");
    // Nothing to do is nothing to tell.
    assert_eq!(solve(&puzzle, 0, &Kept::default()), 0);
}

/// Terms under which opening a repository costs 1024 hashes or a fee of 7.
fn terms() -> Terms {
    let kind = ActionKind::CreateRepo.number();
    let price = proto::KindPrice { kind, work: 1024, fee: 7, stake: true, owner: false };
    let params = proto::Params {
        accept_work: true,
        accept_fee: true,
        prices: vec![price],
        ..Default::default()
    };
    Terms { params, anchor_number: 0, anchor: Hash::new([3; 32]) }
}

#[test]
fn a_bill_is_for_what_must_be_paid_in_the_way_asked_for() {
    let payer = AccountId::new([1; 20]);
    let draft = Draft::new("c", payer, 0, &[]);
    let bill = |pay, priced: &[ActionKind]| Bill::of(&draft, &terms(), (&[], priced), (pay, 1));
    let kinds = [ActionKind::CreateRepo];
    let (work, fee) = (bill(Pay::Work, &kinds), bill(Pay::Fee, &kinds));
    assert_eq!((work.work_bits, work.fee), (Some(10), 0));
    assert!(work.to_string().contains("10 bits, about 1024 hashes"), "{work}");
    assert_eq!((fee.work_bits, fee.fee), (None, 7));
    assert!(fee.to_string().ends_with("a fee of 7"), "{fee}");
    let stake = bill(Pay::Stake, &kinds);
    assert!(stake.to_string().ends_with("nothing, by stake"), "{stake}");
    // An owner who is exempt.
    assert_eq!((bill(Pay::Work, &[]).work_bits, bill(Pay::Fee, &[]).fee), (Some(0), 0));
    assert!(bill(Pay::Work, &[]).to_string().ends_with("cost nothing"));
}

#[test]
fn work_comes_first_and_what_is_refused_is_said() {
    let takes =
        |work, fee| proto::Params { accept_work: work, accept_fee: fee, ..Default::default() };
    assert_eq!(way(None, &takes(true, true)).ok(), Some(Pay::Work));
    assert_eq!(way(None, &takes(false, true)).ok(), Some(Pay::Fee));
    assert_eq!(way(Some(Pay::Fee), &takes(true, true)).ok(), Some(Pay::Fee));
    assert_eq!(way(Some(Pay::Stake), &takes(true, false)).ok(), Some(Pay::Stake));
    let refused = way(Some(Pay::Work), &takes(false, true)).expect_err("refused").to_string();
    assert!(refused.contains("no proof of work") && refused.contains("--pay fee"), "{refused}");
    let refused = way(Some(Pay::Fee), &takes(true, false)).expect_err("refused").to_string();
    assert!(refused.contains("takes no fees") && refused.contains("--pay work"), "{refused}");
}

#[test]
fn a_bill_is_paid_up_to_the_bound_and_no_further() {
    let terms = terms();
    let bill = |pay, work_bits, fee| Bill { actions: Vec::new(), size: 1, pay, work_bits, fee };
    let check = |paying: Paying, bill: Bill| paying.check(&bill, &terms.params);
    let paying = Paying { fee_max: 7, work_max_s: 60, how: None };
    assert_eq!(check(paying, bill(Pay::Fee, None, 7)).ok(), Some(Effort::default()));
    assert_eq!(check(paying, bill(Pay::Work, Some(9), 0)).ok(), Some(Effort::of(9)));
    let refused = check(paying, bill(Pay::Fee, None, 8)).expect_err("too dear");
    assert_eq!((refused.exit_code(), &refused.kind()[..]), (1, "too_dear"));
    let told = refused.to_string();
    assert!(told.contains("would be 8, you let it be 7 at most"), "{told}");
    assert!(told.contains("--fee-max 8") && told.contains("--pay work"), "{told}");
    // The most there is: no machine lives to see the end of it.
    let refused = check(paying, bill(Pay::Work, Some(64), 0)).expect_err("too dear").to_string();
    assert!(refused.contains("64 bits") && refused.contains(" years, you let"), "{refused}");
    assert!(refused.contains("--work-max ") && refused.contains("--pay fee"), "{refused}");
    let only_fees = proto::Params { accept_work: false, ..terms.params };
    let refused = paying.check(&bill(Pay::Fee, None, 8), &only_fees).expect_err("too dear");
    assert!(!refused.to_string().contains("--pay"), "{refused}");
}
