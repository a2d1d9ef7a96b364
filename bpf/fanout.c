//! The fan-out: both directions of a flow to one ring, whatever tunnel they are in.
//
// The innermost addresses tell, and nothing else: later fragments have no ports. The kernel takes the result modulo
// the number of rings.
#include <kernel.h>
#include "walk.h"

ALWAYS_INLINE int is_excluded(const u8 *udp) {
    (void)udp;
    return 0;
}

ALWAYS_INLINE u32 swap16(u32 kind) { return (kind & 0xFF) << 8 | (kind >> 8 & 0xFF); }

// Spreads what differs in few bits (the finalizer of MurmurHash3).
ALWAYS_INLINE u32 mix(u32 word) {
    word ^= word >> 16;
    word *= 0x85EBCA6B;
    word ^= word >> 13;
    word *= 0xC2B2AE35;
    return word ^ word >> 16;
}

ALWAYS_INLINE u32 mix_address(const u8 *address, u32 words) {
    u32 mixed = mix(be32(address));
    if (words == 4) {
        mixed = mix(mixed + be32(address + 4));
        mixed = mix(mixed + be32(address + 8));
        mixed = mix(mixed + be32(address + 12));
    }
    return mixed;
}

// Two addresses, the same whichever comes first.
ALWAYS_INLINE u32 mix_addresses(const u8 *addresses, u32 words) {
    return mix(mix_address(addresses, words) + mix_address(addresses + words * 4, words));
}

SECTION("socket")
int fanout(struct __sk_buff *skb) {
    struct frame frame;
    struct place *at = &frame.at;
    u8 b[32];
    // Of a packet that arrives, the kernel has read the link already, and has taken the outer tag off. One that leaves
    // begins with the link.
    enum outcome outcome = skb->pkt_type == PACKET_OUTGOING ? plain(skb, &frame, 1, 0)
                                                            : plain(skb, &frame, 0, swap16(skb->protocol));
    if (outcome != GOES_ON) {
        return mix_addresses(at->ipv4 + 12, 1);
    }
    walk(skb, at);
    // The innermost that were found count, also where the walk ended in what it does not follow.
    if (at->address_words == 1) {
        return load(skb, at->addresses, b, 8) ? mix_addresses(b, 1) : 0;
    }
    if (at->address_words == 4) {
        return load(skb, at->addresses, b, 32) ? mix_addresses(b, 4) : 0;
    }
    return 0;
}

LICENSE("MIT");
