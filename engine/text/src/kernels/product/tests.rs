//! Products against their definition in double precision.

use half::{bf16, f16};
use plumb_core::random::Random;

use super::*;
use crate::kernels::PackedKind;

fn draw(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.normal() as f32).collect()
}

/// Checks products with one vector, a few, and many, against `weights` row by row.
fn check(what: &str, panels: &Panels, weights: &[f32]) {
    let (height, width) = (panels.height(), panels.width());
    assert_eq!(panels.numbers(), weights, "{what}");
    let mut random = Random::new(6, "vectors");
    for count in [1, 2, 3, 4, 5, 12, 29, 100] {
        let x = draw(&mut random, count * width);
        let mut out = vec![0.0; count * height];
        panels.multiply(&x, &mut out);
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact(height)) {
            for (row, &y) in weights.chunks_exact(width).zip(out) {
                let terms = || row.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x));
                let (exact, length) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                // What sums in single precision lose.
                let (error, most) = ((exact - f64::from(y)).abs(), 1e-6 * length);
                assert!(error <= most, "{what} × {count}: {y} for {exact}, off by {error} where {most} is allowed");
            }
        }
    }
}

#[test]
fn dense_products_agree_with_the_definition() {
    let mut random = Random::new(5, "dense");
    for (height, width) in [(1, 1), (3, 5), (16, 16), (33, 100), (300, 777)] {
        let numbers = draw(&mut random, height * width);
        check("f32", &Panels::single(&numbers, height, width), &numbers);
        let half: Vec<f32> = numbers.iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
        check("bf16", &Panels::half(&numbers, height, width), &half);
    }
}

#[test]
fn what_bfloat16_holds_is_kept_in_half_the_room_and_gives_the_same_bits() {
    let mut random = Random::new(7, "exact");
    for (height, width) in [(1, 1), (33, 101), (300, 576)] {
        let mut numbers: Vec<f32> =
            draw(&mut random, height * width).iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
        let (kept, plain) = (Panels::exact(&numbers, height, width), Panels::single(&numbers, height, width));
        assert!(matches!(&*kept.weights, Weights::Half(_)) && matches!(&*plain.weights, Weights::Single(_)));
        assert_eq!(kept.numbers(), numbers);
        for count in [1, 2, 3, 4, 5, 29, 200] {
            let x = draw(&mut random, count * width);
            let product = |panels: &Panels| {
                let mut out = vec![0.0; count * height];
                panels.multiply(&x, &mut out);
                out
            };
            assert_eq!(product(&kept), product(&plain), "{height} × {width}, {count} vectors");
        }
        numbers[height * width - 1] = 0.1;
        assert!(matches!(&*Panels::exact(&numbers, height, width).weights, Weights::Single(_)));
        assert_eq!(Panels::exact(&numbers, height, width).numbers(), numbers, "one number that needs all its bits");
    }
}

fn bytes(kind: PackedKind, blocks: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..blocks {
        let halves = if kind == PackedKind::Q4_1 { 2 } else { 1 };
        for _ in 0..halves {
            bytes.extend(f16::from_f32(random.normal() as f32 * 0.1).to_le_bytes());
        }
        bytes.extend((0..kind.block_bytes() - 2 * halves).map(|_| random.below(256) as u8));
    }
    bytes
}

#[test]
fn packed_products_are_those_of_the_unpacked_matrix() {
    let mut random = Random::new(8, "packed");
    for kind in [PackedKind::Q4_0, PackedKind::Q4_1, PackedKind::Q8_0] {
        let (height, width) = (150, 576);
        let stored = bytes(kind, height * width / BLOCK, &mut random);
        let numbers = kind.unpack(&stored);
        // The first block, by the format's definition.
        let scale = f16::from_le_bytes([stored[0], stored[1]]).to_f32();
        let by_hand = |i: usize| {
            let nibble = |at: usize| if i < 16 { stored[at + i] & 15 } else { stored[at + i - 16] >> 4 };
            match kind {
                PackedKind::Q4_0 => scale * (f32::from(nibble(2)) - 8.0),
                PackedKind::Q4_1 => scale * f32::from(nibble(4)) + f16::from_le_bytes([stored[2], stored[3]]).to_f32(),
                PackedKind::Q8_0 => scale * f32::from(stored[2 + i] as i8),
            }
        };
        for (i, number) in numbers[..BLOCK].iter().enumerate() {
            assert!((number - by_hand(i)).abs() < 1e-5, "{kind:?} weight {i}: {number} and {}", by_hand(i));
        }
        let panels = Panels::packed(&[(kind, stored, height)], width).unwrap();
        check(&format!("{kind:?}"), &panels, &numbers);
    }
}

#[test]
fn rows_stack_only_on_their_like() {
    let mut random = Random::new(9, "packed");
    let mut make = |kind| (kind, bytes(kind, 6, &mut random), 3);
    let (four, other, eight) = (make(PackedKind::Q4_0), make(PackedKind::Q4_1), make(PackedKind::Q8_0));
    let joined = Panels::packed(&[four.clone(), other.clone()], 64).unwrap();
    assert_eq!(joined.height(), 6);
    assert_eq!(joined.numbers(), [four.0.unpack(&four.1), other.0.unpack(&other.1)].concat());
    assert!(Panels::packed(&[four, eight], 64).is_none());
    assert!(Panels::packed(&[(PackedKind::Q8_0, vec![0; 33], 1)], 32).is_none());
}
