//! Bounded logarithms on all paths. A failure would be: another amount than the one multiplied out, an amount outside the bound
//! that is found or searched for without end, a damaged table that is taken.

use k256::{ProjectivePoint, Scalar};
use tradeveil_native::Code;
use tradeveil_native::lanes::CpuPath;
use tradeveil_native::secret::logarithm::{Search, Table};

fn find(table: &Table, amount: u64, bound: u64) -> Result<u64, Code> {
    let point = ProjectivePoint::GENERATOR * Scalar::from(amount);
    Search::new(table, point, bound).run().map_err(|error| error.code)
}

#[test]
fn every_small_amount() {
    for path in CpuPath::available() {
        path.take();
        let table = Table::new(4).unwrap();
        for amount in 0..3000 {
            assert_eq!(find(&table, amount, 3000), Ok(amount));
        }
        for amount in 3001..3200 {
            assert_eq!(find(&table, amount, 3000), Err(Code::Opening));
        }
        for bound in 0..100 {
            assert_eq!(find(&table, bound, bound), Ok(bound));
            assert_eq!(find(&table, bound + 1, bound), Err(Code::Opening));
        }
    }
    CpuPath::take_fastest();
}

#[test]
fn large_amounts_around_the_steps() {
    let table = Table::new(14).unwrap();
    let (stride, bound) = ((2u64 << 14) + 1, 1u64 << 34);
    for giant in [0, 1, 2047, 2048, 2049, 4096, 4097, 100_000] {
        for offset in [-16384i64, -16383, -1, 0, 1, 8000, 16384] {
            let Some(amount) = (giant * stride).checked_add_signed(offset) else { continue };
            assert_eq!(find(&table, amount, bound), Ok(amount));
        }
    }
    assert_eq!(find(&table, bound, bound), Ok(bound));
    assert_eq!(find(&table, bound + 1, bound), Err(Code::Opening));
    let stranger = ProjectivePoint::GENERATOR * Scalar::from(12345u64).invert().unwrap();
    assert!(Search::new(&table, stranger, bound).run().is_err());
}

#[test]
fn tables_are_kept_whole_or_not_at_all() {
    let table = Table::new(10).unwrap();
    let bytes = table.to_bytes();
    let again = Table::from_bytes(&bytes).unwrap();
    assert_eq!((again.bits(), again.to_bytes() == bytes), (10, true));
    assert_eq!(find(&again, 123_456, 200_000), Ok(123_456));
    for position in [0, 23, 24, 31, 32, 1000, bytes.len() - 40, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        assert_eq!(Table::from_bytes(&damaged).err().map(|error| error.code), Some(Code::Engine));
    }
    for length in [0, 10, 32, bytes.len() - 1] {
        assert!(Table::from_bytes(&bytes[..length]).is_err());
    }
    assert!(Table::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    for bits in [0, 3, 27, 64, u32::MAX] {
        assert_eq!(Table::new(bits).err().map(|error| error.code), Some(Code::Opening));
    }
}
