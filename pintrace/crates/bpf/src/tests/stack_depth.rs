//! The stack that each program takes, as the verifier adds it up (`check_max_stack_depth`, kernel/bpf/verifier.c). Without this
//! test only a guest with an old kernel shows that a program takes too much.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use aya_obj::Object;
use aya_obj::generated::bpf_insn;

use crate::objects::{LEDGER, LEDGER_WITHOUT_BPF_LOOP, SCAN};

/// `MAX_BPF_STACK` (include/linux/filter.h).
const MOST: usize = 512;
/// Bytes of which the frame of a function is a multiple.
const GRANULE: usize = 32;
/// The same on newer kernels if the program is compiled (`round_up_stack_depth`, kernel/bpf/verifier.c).
const NEWER_GRANULE: usize = 16;
/// Programs for functions that only newer kernels have.
const NEWER: &[&str] = &["return_memfd_pin_folios", "return_memfd_pin_folios_backup"];

/// `BPF_CALL` in the class `BPF_JMP`, and other codes (include/uapi/linux/bpf.h).
const CALL: u8 = 0x85;
const LOAD_IMMEDIATE: u8 = 0x18;
const MOVE: u8 = 0xbf;
const ADD: u8 = 0x07;
const FRAME_POINTER: u8 = 10;
/// `BPF_PSEUDO_CALL` (include/uapi/linux/bpf.h).
const FUNCTION: u8 = 1;
/// `BPF_PSEUDO_FUNC`: the address of a callback.
const CALLBACK: u8 = 4;

/// A function of a program.
#[derive(Default)]
struct Frame {
    bytes: usize,
    /// First instructions of the functions that it calls, also by `bpf_loop`.
    calls: BTreeSet<usize>,
}

/// Returns the first instruction of the function that an instruction calls or passes.
fn callee(instructions: &[bpf_insn], at: usize) -> Option<usize> {
    let one = instructions[at];
    let calls = one.code == CALL && one.src_reg() == FUNCTION
        || one.code == LOAD_IMMEDIATE && one.src_reg() == CALLBACK;
    let target = || i32::try_from(at).unwrap() + 1 + one.imm;
    calls.then(|| usize::try_from(target()).unwrap())
}

/// Returns the lowest byte of the frame that an instruction names. `base` is the register that the instruction before took from
/// the frame pointer.
fn lowest(one: bpf_insn, base: Option<u8>) -> i32 {
    match one.code & 7 {
        // A load from the frame, and the stores to it.
        1 if one.src_reg() == FRAME_POINTER => i32::from(one.off),
        2 | 3 if one.dst_reg() == FRAME_POINTER => i32::from(one.off),
        _ if one.code == ADD && base == Some(one.dst_reg()) => one.imm,
        _ => 0,
    }
}

/// Returns the functions of a linked program, by their first instruction.
fn frames(instructions: &[bpf_insn]) -> BTreeMap<usize, Frame> {
    let callees = (0..instructions.len()).filter_map(|at| callee(instructions, at));
    let mut frames: BTreeMap<usize, Frame> = callees.map(|first| (first, Frame::default())).collect();
    frames.insert(0, Frame::default());
    let mut base = None;
    for (at, one) in instructions.iter().enumerate() {
        let (_, frame) = frames.range_mut(..=at).next_back().unwrap();
        let bytes = usize::try_from(-lowest(*one, base)).unwrap_or(0);
        frame.bytes = frame.bytes.max(bytes);
        frame.calls.extend(callee(instructions, at));
        let from_frame = one.code == MOVE && one.src_reg() == FRAME_POINTER;
        base = from_frame.then(|| one.dst_reg());
    }
    frames
}

/// Returns the bytes of the deepest chain of calls.
fn depth(frames: &BTreeMap<usize, Frame>, function: usize, granule: usize) -> usize {
    let frame = &frames[&function];
    let below = frame.calls.iter().map(|callee| depth(frames, *callee, granule));
    frame.bytes.max(1).next_multiple_of(granule) + below.max().unwrap_or(0)
}

#[test]
fn each_program_fits_the_stack_of_the_oldest_verifier() {
    let mut programs = 0;
    for bytes in [LEDGER, LEDGER_WITHOUT_BPF_LOOP, SCAN] {
        let mut object = Object::parse(bytes).unwrap();
        let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        object.relocate_calls(&sections).unwrap();
        // User space runs the programs of the bench, on the kernel of this machine.
        let of_hooks = object
            .programs
            .iter()
            .filter(|(name, _)| !name.starts_with("bench_"));
        for (name, program) in of_hooks {
            let instructions = &object.functions[&program.function_key()].instructions;
            let granule = if NEWER.contains(&name.as_str()) {
                NEWER_GRANULE
            } else {
                GRANULE
            };
            let bytes = depth(&frames(instructions), 0, granule);
            assert!(bytes <= MOST, "{name} takes {bytes} bytes of stack");
            programs += 1;
        }
    }
    assert!(programs > 100, "{programs} programs");
}
