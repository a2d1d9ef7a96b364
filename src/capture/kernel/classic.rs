//! The socket filter as classic BPF, for where eBPF is not allowed.
//!
//! Decides as `bpf/media_filter.c` does, with two exceptions, as there are no loops: more than four tags or extension
//! headers are not followed, and what is in a tunnel is kept whole.

use std::ops::RangeInclusive;

use libc::sock_filter;

use super::assembler::{Assembler, Label, Test};
use super::options::FilterOptions;

/// More than any frame has.
const WHOLE: u32 = 0x4_0000;
/// Tags, and extension headers, that are followed.
const MOST_IN_A_ROW: usize = 4;

const VLAN_TYPES: [u32; 5] = [0x8100, 0x88A8, 0x9100, 0x9200, 0x9300];
/// MPLS, `PPPoE`, VN-Tag, E-Tag, Cisco metadata, provider backbone, `MACsec`, NSH, Ethernet and PPP.
const TUNNEL_TYPES: [u32; 11] =
    [0x8847, 0x8848, 0x8864, 0x8926, 0x893F, 0x8909, 0x88E7, 0x88E5, 0x894F, 0x6558, 0x880B];

const TCP: u32 = 6;
const UDP: u32 = 17;
const FRAGMENT: u32 = 44;
const AUTHENTICATION: u32 = 51;
/// IP in IP, GRE, `EtherIP`, MPLS.
const TUNNEL_PROTOCOLS: [u32; 6] = [4, 41, 47, 94, 97, 137];
/// Hop by hop, routing, destination options, mobility, HIP, shim6.
const EXTENSIONS: [u32; 6] = [0, 43, 60, 135, 139, 140];

/// What the memory's cells hold.
mod cell {
    pub(super) const SCRATCH: u32 = 0;
    pub(super) const PROTOCOL: u32 = 1;
    pub(super) const FRAGMENT_OFFSET: u32 = 2;
    pub(super) const UDP_LENGTH: u32 = 3;
    pub(super) const OFFSET: u32 = 4;
}

/// The program. X is the offset of the header that is read.
pub(super) fn program(options: &FilterOptions) -> Vec<sock_filter> {
    let mut code = Assembler::default();
    let whole = code.label();
    let mut writer = Writer {
        ipv4: code.label(),
        ipv6: code.label(),
        transport: code.label(),
        later_fragment: code.label(),
        udp: code.label(),
        tcp: code.label(),
        rtp: code.label(),
        drop: code.label(),
        whole,
        code,
        options,
    };
    writer.link();
    writer.ipv4();
    writer.ipv6();
    writer.transport();
    writer.udp();
    writer.rtp();
    writer.tcp();
    writer.code.place(whole);
    writer.code.keep(WHOLE);
    writer.code.place(writer.drop);
    writer.code.keep(0);
    writer.code.finish()
}

struct Writer<'a> {
    code: Assembler,
    options: &'a FilterOptions,
    ipv4: Label,
    ipv6: Label,
    transport: Label,
    later_fragment: Label,
    udp: Label,
    tcp: Label,
    rtp: Label,
    whole: Label,
    drop: Label,
}

impl Writer<'_> {
    /// Only the decoder can tell of a frame that ends before so many octets from X; a load beyond the end would drop it.
    fn need(&mut self, octets: u32) {
        self.code.load_length();
        self.code.subtract_x();
        self.code.jump_if(Test::HasAny(1 << 31), self.whole);
        self.code.jump_unless(Test::AtLeast(octets), self.whole);
    }

    /// X goes on by A octets.
    fn advance_by_a(&mut self) {
        self.code.add_x();
        self.code.a_to_x();
    }

    /// X goes on.
    fn advance(&mut self, octets: u32) {
        self.code.x_to_a();
        self.code.add(octets);
        self.code.a_to_x();
    }

    fn jump_if_any(&mut self, numbers: &[u32], to: Label) {
        for number in numbers {
            self.code.jump_if(Test::Is(*number), to);
        }
    }

    /// From the link on: an outer tag that the driver took off is not in the frame, one that it left is.
    fn link(&mut self) {
        self.code.load_x(0);
        self.need(14);
        self.code.load_x(14);
        self.code.load_half_at(12);
        let llc = self.code.label();
        for _ in 0..MOST_IN_A_ROW {
            let tag = self.code.label();
            self.jump_if_any(&[0x0800], self.ipv4);
            self.jump_if_any(&[0x86DD], self.ipv6);
            self.jump_if_any(&VLAN_TYPES, tag);
            self.jump_if_any(&TUNNEL_TYPES, self.whole);
            self.code.jump_unless(Test::AtLeast(0x0600), llc);
            self.code.jump(self.drop);
            self.code.place(tag);
            self.need(4);
            self.advance(4);
            // The type is in the tag's last two octets.
            self.code.store_x(cell::SCRATCH);
            self.code.subtract(2);
            self.code.a_to_x();
            self.code.load_half(0);
            self.code.load_x_cell(cell::SCRATCH);
        }
        self.jump_if_any(&[0x0800], self.ipv4);
        self.jump_if_any(&[0x86DD], self.ipv6);
        self.code.jump(self.whole);
        // IP behind LLC or SNAP is rare.
        self.code.place(llc);
        self.need(8);
        self.code.load_half(0);
        self.jump_if_any(&[0xAAAA, 0x0606], self.whole);
        self.code.jump(self.drop);
    }

    fn ipv4(&mut self) {
        self.code.place(self.ipv4);
        self.need(10);
        self.code.load_byte(0);
        self.code.jump_unless(Test::AtLeast(0x45), self.whole);
        self.code.jump_if(Test::Above(0x4F), self.whole);
        self.code.load_byte(9);
        self.code.store(cell::PROTOCOL);
        self.code.load_half(6);
        self.code.and(0x1FFF);
        self.code.store(cell::FRAGMENT_OFFSET);
        self.code.load_byte(0);
        self.code.and(0x0F);
        self.code.shift_left(2);
        self.advance_by_a();
        self.code.load_cell(cell::FRAGMENT_OFFSET);
        self.code.jump_unless(Test::Is(0), self.later_fragment);
        self.code.jump(self.transport);
    }

    fn ipv6(&mut self) {
        self.code.place(self.ipv6);
        self.need(7);
        self.code.load_byte(0);
        self.code.and(0xF0);
        self.code.jump_unless(Test::Is(0x60), self.whole);
        self.code.load_byte(6);
        self.code.store(cell::PROTOCOL);
        self.advance(40);
        for _ in 0..MOST_IN_A_ROW {
            self.extension();
        }
        self.code.load_cell(cell::PROTOCOL);
        self.jump_if_any(&EXTENSIONS, self.whole);
        self.jump_if_any(&[FRAGMENT], self.whole);
        self.code.jump(self.transport);
    }

    /// Goes over one extension header, or on to what follows the last.
    fn extension(&mut self) {
        let (sized, fragment, authentication, behind) =
            (self.code.label(), self.code.label(), self.code.label(), self.code.label());
        self.code.load_cell(cell::PROTOCOL);
        self.jump_if_any(&EXTENSIONS, sized);
        self.jump_if_any(&[FRAGMENT], fragment);
        self.jump_if_any(&[AUTHENTICATION], authentication);
        self.code.jump(self.transport);
        for (kind, own, shift) in [(sized, 1, 3), (authentication, 2, 2)] {
            self.code.place(kind);
            self.next_protocol();
            self.code.load_byte(1);
            self.code.add(own);
            self.code.shift_left(shift);
            self.advance_by_a();
            self.code.jump(behind);
        }
        self.code.place(fragment);
        self.next_protocol();
        self.code.load_half(2);
        self.code.and(0xFFF8);
        self.code.store(cell::FRAGMENT_OFFSET);
        self.advance(8);
        self.code.load_cell(cell::FRAGMENT_OFFSET);
        self.code.jump_unless(Test::Is(0), self.later_fragment);
        self.code.place(behind);
    }

    fn next_protocol(&mut self) {
        self.need(4);
        self.code.load_byte(0);
        self.code.store(cell::PROTOCOL);
    }

    fn transport(&mut self) {
        self.code.place(self.transport);
        self.code.load_cell(cell::PROTOCOL);
        self.jump_if_any(&[UDP], self.udp);
        self.jump_if_any(&[TCP], self.tcp);
        self.jump_if_any(&TUNNEL_PROTOCOLS, self.whole);
        self.jump_if_any(&[AUTHENTICATION], self.whole);
        self.code.jump(self.drop);

        let passed = self.code.label();
        self.code.place(self.later_fragment);
        self.code.load_cell(cell::PROTOCOL);
        self.jump_if_any(&[UDP, TCP, AUTHENTICATION], passed);
        self.jump_if_any(&TUNNEL_PROTOCOLS, passed);
        self.code.jump(self.drop);
        self.code.place(passed);
        self.code.x_to_a();
        self.snap();
    }

    /// Keeps the octets of a payload behind A.
    fn snap(&mut self) {
        if self.options.whole {
            self.code.jump(self.whole);
        } else {
            self.code.add(u32::from(self.options.payload_octets));
            self.code.keep_a();
        }
    }

    /// Jumps if a port of the header at X is in one of the ranges.
    fn jump_if_port(&mut self, ranges: &[RangeInclusive<u16>], to: Label) {
        for port_at in [0, 2] {
            self.code.load_half(port_at);
            for range in ranges {
                let beside = self.code.label();
                self.code.jump_unless(Test::AtLeast(u32::from(*range.start())), beside);
                self.code.jump_unless(Test::Above(u32::from(*range.end())), to);
                self.code.place(beside);
            }
        }
    }

    /// What the datagram is, by its first octets.
    fn udp(&mut self) {
        let (is_sound, channel, multiplexed) = (self.code.label(), self.code.label(), self.code.label());
        self.code.place(self.udp);
        self.need(8);
        self.code.load_half(4);
        self.code.store(cell::UDP_LENGTH);
        self.code.jump_if(Test::Is(0), is_sound);
        self.code.jump_unless(Test::AtLeast(8), self.whole);
        self.code.place(is_sound);
        self.jump_if_port(&self.options.excluded_udp_ports, self.drop);
        self.need(16);
        self.code.load_half(8);
        self.code.jump_if(Test::Is(0xFF10), multiplexed);
        self.code.and(0xF000);
        self.code.jump_if(Test::Is(0x4000), channel);
        self.code.jump(self.rtp);

        // TURN's wrappers fill the datagram, ChannelData up to padding.
        self.code.place(channel);
        self.length_beyond_wrapped();
        self.code.jump_if(Test::Above(3), self.whole);
        self.advance(4);
        self.code.jump(self.rtp);
        self.code.place(multiplexed);
        self.length_beyond_wrapped();
        self.code.jump_unless(Test::Is(0), self.whole);
        self.advance(12);
    }

    /// A = octets of the datagram that are neither its header, nor the wrapper's four, nor what the wrapper says
    /// that it holds.
    fn length_beyond_wrapped(&mut self) {
        self.code.store_x(cell::OFFSET);
        self.code.load_half(10);
        self.code.a_to_x();
        self.code.load_cell(cell::UDP_LENGTH);
        self.code.subtract(12);
        self.code.subtract_x();
        self.code.load_x_cell(cell::OFFSET);
    }

    /// What is RTP at X and eight octets is cut behind its header.
    fn rtp(&mut self) {
        let (is_rtp, is_long) = (self.code.label(), self.code.label());
        self.code.place(self.rtp);
        self.need(10);
        self.code.load_byte(9);
        self.code.jump_unless(Test::AtLeast(192), is_rtp);
        self.code.jump_unless(Test::Above(223), self.whole);
        self.code.place(is_rtp);
        self.code.load_byte(8);
        // VXLAN with a group policy begins like this.
        self.code.jump_if(Test::Is(0x88), self.whole);
        self.code.jump_unless(Test::AtLeast(0x80), self.whole);
        self.code.jump_if(Test::Above(0xBF), self.whole);
        self.code.and(0x0F);
        self.code.shift_left(2);
        self.code.add(8 + 12);
        self.code.add_x();
        self.code.store(cell::OFFSET);
        self.code.load_byte(8);
        self.code.jump_if(Test::HasAny(0x10), is_long);
        self.code.load_cell(cell::OFFSET);
        self.snap();

        self.code.place(is_long);
        self.code.load_x_cell(cell::OFFSET);
        self.need(4);
        self.code.load_half(2);
        self.code.shift_left(2);
        self.code.add(4);
        self.code.add_x();
        self.snap();
    }

    fn tcp(&mut self) {
        self.code.place(self.tcp);
        self.need(14);
        self.jump_if_port(&self.options.relay_tcp_ports, self.whole);
        self.code.jump(self.drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_program_is_one_that_the_kernel_takes() {
        // BPF_MAXINSNS, and what a socket may hold by default (net.core.optmem_max was 20 KiB for long).
        let ranges = vec![10..=20; FilterOptions::MOST_RANGES];
        let options = FilterOptions {
            excluded_udp_ports: ranges.clone(),
            relay_tcp_ports: ranges,
            ..FilterOptions::default()
        };
        let instructions = program(&options).len();
        assert!(
            instructions <= 4096 && instructions * size_of::<sock_filter>() < 20 * 1024,
            "{instructions}"
        );
    }

    #[test]
    fn every_jump_stays_within_the_program() {
        let program = program(&FilterOptions::default());
        for (at, instruction) in program.iter().enumerate().filter(|(_, i)| i.code & 0x07 == 0x05) {
            let furthest = if instruction.code == 0x05 {
                usize::try_from(instruction.k).unwrap()
            } else {
                usize::from(instruction.jt.max(instruction.jf))
            };
            assert!(at + 1 + furthest < program.len(), "{at}: {instruction:?}");
        }
        assert_eq!(program.last().map(|i| i.code), Some(0x06));
    }
}
