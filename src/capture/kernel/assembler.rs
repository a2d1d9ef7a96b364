//! An assembler for classic BPF: instructions in order, jumps by label.
//!
//! Source: Linux, Documentation/networking/filter.rst. A conditional jump reaches 255 instructions, so each is
//! written as one over an unconditional jump, which reaches any.

use libc::sock_filter;

const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;
const MISC: u16 = 0x07;

const WORD: u16 = 0x00;
const HALF: u16 = 0x08;
const BYTE: u16 = 0x10;

const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;

const BY_X: u16 = 0x08;
const BY_A: u16 = 0x10;

const ADD: u16 = 0x00;
const SUB: u16 = 0x10;
const AND: u16 = 0x50;
const SHIFT_LEFT: u16 = 0x60;

const TAX: u16 = 0x00;
const TXA: u16 = 0x80;

/// What the accumulator is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// It is this number.
    Is(u32),
    /// It is not below this number.
    AtLeast(u32),
    /// It is above this number.
    Above(u32),
    /// It has one of these bits.
    HasAny(u32),
}

/// A place to jump to, ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// A program as it grows.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    code: Vec<sock_filter>,
    /// Jumps whose distance is still to be filled in.
    jumps: Vec<(usize, Label)>,
    /// Where each label stands, once it does.
    places: Vec<usize>,
}

impl Assembler {
    pub(super) fn label(&mut self) -> Label {
        self.places.push(0);
        Label(self.places.len() - 1)
    }

    /// The label stands here.
    pub(super) fn place(&mut self, label: Label) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = self.code.len();
        }
    }

    fn push(&mut self, code: u16, k: u32) {
        self.code.push(sock_filter { code, jt: 0, jf: 0, k });
    }

    /// A = the frame's octets at an offset from its start.
    pub(super) fn load_half_at(&mut self, offset: u32) {
        self.push(LD | HALF | ABS, offset);
    }

    /// A = two octets of the frame at X and an offset.
    pub(super) fn load_half(&mut self, offset: u32) {
        self.push(LD | HALF | IND, offset);
    }

    /// A = one octet of the frame at X and an offset.
    pub(super) fn load_byte(&mut self, offset: u32) {
        self.push(LD | BYTE | IND, offset);
    }

    /// A = the frame's length.
    pub(super) fn load_length(&mut self) {
        self.push(LD | WORD | LEN, 0);
    }

    /// A = a cell of the memory.
    pub(super) fn load_cell(&mut self, cell: u32) {
        self.push(LD | MEM, cell);
    }

    /// X = a cell of the memory.
    pub(super) fn load_x_cell(&mut self, cell: u32) {
        self.push(LDX | MEM, cell);
    }

    /// X = a number.
    pub(super) fn load_x(&mut self, number: u32) {
        self.push(LDX | IMM, number);
    }

    /// A cell = A.
    pub(super) fn store(&mut self, cell: u32) {
        self.push(ST, cell);
    }

    /// A cell = X.
    pub(super) fn store_x(&mut self, cell: u32) {
        self.push(STX, cell);
    }

    /// A = A + a number.
    pub(super) fn add(&mut self, number: u32) {
        self.push(ALU | ADD, number);
    }

    /// A = A + X.
    pub(super) fn add_x(&mut self) {
        self.push(ALU | ADD | BY_X, 0);
    }

    /// A = A - a number, modulo 2^32.
    pub(super) fn subtract(&mut self, number: u32) {
        self.push(ALU | SUB, number);
    }

    /// A = A - X, modulo 2^32.
    pub(super) fn subtract_x(&mut self) {
        self.push(ALU | SUB | BY_X, 0);
    }

    /// A = A & a number.
    pub(super) fn and(&mut self, number: u32) {
        self.push(ALU | AND, number);
    }

    /// A = A << a number.
    pub(super) fn shift_left(&mut self, bits: u32) {
        self.push(ALU | SHIFT_LEFT, bits);
    }

    /// X = A.
    pub(super) fn a_to_x(&mut self) {
        self.push(MISC | TAX, 0);
    }

    /// A = X.
    pub(super) fn x_to_a(&mut self) {
        self.push(MISC | TXA, 0);
    }

    /// Ends with so many octets of the frame kept.
    pub(super) fn keep(&mut self, octets: u32) {
        self.push(RET, octets);
    }

    /// Ends with A octets of the frame kept.
    pub(super) fn keep_a(&mut self) {
        self.push(RET | BY_A, 0);
    }

    pub(super) fn jump(&mut self, to: Label) {
        self.jumps.push((self.code.len(), to));
        self.push(JMP, 0);
    }

    pub(super) fn jump_if(&mut self, test: Test, to: Label) {
        self.test(test, 0, 1);
        self.jump(to);
    }

    pub(super) fn jump_unless(&mut self, test: Test, to: Label) {
        self.test(test, 1, 0);
        self.jump(to);
    }

    fn test(&mut self, test: Test, jt: u8, jf: u8) {
        let (code, k) = match test {
            Test::Is(k) => (0x10, k),
            Test::Above(k) => (0x20, k),
            Test::AtLeast(k) => (0x30, k),
            Test::HasAny(k) => (0x40, k),
        };
        self.code.push(sock_filter { code: JMP | code, jt, jf, k });
    }

    /// The program, with its jumps.
    pub(super) fn finish(mut self) -> Vec<sock_filter> {
        for (from, Label(label)) in self.jumps {
            if let (Some(jump), Some(to)) = (self.code.get_mut(from), self.places.get(label)) {
                // A program has at most 4,096 instructions.
                jump.k = u32::try_from(to - from - 1).unwrap_or(u32::MAX);
            }
        }
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_lead_to_their_labels() {
        let mut code = Assembler::default();
        let end = code.label();
        code.load_half_at(12);
        code.jump_unless(Test::Is(0x0800), end);
        code.keep(96);
        code.place(end);
        code.keep(0);
        let code: Vec<_> = code.finish().iter().map(|i| (i.code, i.jt, i.jf, i.k)).collect();
        // As `tcpdump -dd` writes them.
        assert_eq!(
            code,
            [(0x28, 0, 0, 12), (0x15, 1, 0, 0x0800), (0x05, 0, 0, 1), (0x06, 0, 0, 96), (0x06, 0, 0, 0)]
        );
    }
}
