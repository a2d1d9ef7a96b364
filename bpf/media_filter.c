//! The socket filter: which frames are kept, and how many octets of each.
//
// Kept are UDP (except ports that are excluded), TCP on the ports of relays, fragments, and what the decoder may
// still make something of. Of RTP the headers and the first octets of the payload are kept, by which streams are
// joined; all else is kept whole, so that every figure comes out as it would of whole frames.
#include <kernel.h>
#include "walk.h"

// Octets of a payload that are kept, and whether frames are kept whole instead.
SETTING(u32, PAYLOAD_OCTETS, 32);
SETTING(u32, KEEP_WHOLE, 0);

// A bit for each port.
#define PORT_WORDS (0x10000 / 64)
SETTINGS(u64, EXCLUDED_UDP, PORT_WORDS);
SETTINGS(u64, RELAY_TCP, PORT_WORDS);

// One slot for each processor, in one page; processors beyond share them, which the atomic additions allow.
struct counters {
    u64 seen;
    u64 excluded_port;
    u64 tcp;
    u64 not_ip;
    u64 other_protocol;
    u64 snapped;
    u64 octets_cut;
    u64 unused;
};
#define SLOTS 64
ARRAY(COUNTERS, struct counters, SLOTS, BPF_F_MMAPABLE);

#define WHOLE 0x40000

#define IS_PORT_OF(ports, port) (ports[(port) / 64] >> ((port) & 63) & 1)

ALWAYS_INLINE int is_excluded(const u8 *udp) {
    u32 source = be16(udp), destination = be16(udp + 2);
    return IS_PORT_OF(EXCLUDED_UDP, source) || IS_PORT_OF(EXCLUDED_UDP, destination);
}

ALWAYS_INLINE int is_of_relay(u32 source, u32 destination) {
    return IS_PORT_OF(RELAY_TCP, source) || IS_PORT_OF(RELAY_TCP, destination);
}

// Octets to keep of RTP at the offset, which begins so. RFC 5761, section 4. The octet 0x88 begins VXLAN too, on
// whatever port.
ALWAYS_INLINE u32 octets_of_rtp(struct __sk_buff *skb, u32 offset, u32 first, u32 second) {
    if (first >> 6 != 2 || first == 0x88 || (second >= 192 && second <= 223)) {
        return WHOLE;
    }
    offset += 12 + (first & 0x0F) * 4;
    if (first & 0x10) {
        u8 extension[4];
        if (!load(skb, offset, extension, sizeof extension)) {
            return WHOLE;
        }
        offset += 4 + be16(extension + 2) * 4;
    }
    return offset + PAYLOAD_OCTETS;
}

// Octets to keep of a frame with a datagram whose payload is at the offset: whole, unless it has the form of RTP, in a
// wrapper of TURN or not.
ALWAYS_INLINE u32 octets_of_datagram(struct __sk_buff *skb, u32 offset, const u8 *udp) {
    const u8 *b = udp + 8;
    u8 rtp[2];
    u32 wrapper = 0;
    // ChannelData and Microsoft's multiplexed TURN fill the datagram, over UDP up to padding.
    if (b[0] >> 4 == 4 && udp_payload(udp) - 4 - be16(b + 2) <= 3) {
        wrapper = 4;
    } else if (b[0] == 0xFF && b[1] == 0x10 && udp_payload(udp) == 4 + be16(b + 2)) {
        wrapper = 12;
    }
    if (!wrapper) {
        return octets_of_rtp(skb, offset, b[0], b[1]);
    }
    offset += wrapper;
    return load(skb, offset, rtp, sizeof rtp) ? octets_of_rtp(skb, offset, rtp[0], rtp[1]) : WHOLE;
}

// Octets to keep of a frame, 0 for none, and how the walk over its headers ended.
ALWAYS_INLINE u32 octets_of_frame(struct __sk_buff *skb, enum outcome *outcome) {
    struct frame frame;
    struct place *at = &frame.at;
    const u8 *tcp = at->transport;
    u32 offset = sizeof frame.link + sizeof at->ipv4;
    u32 is_numbered = 0;
    // As much of the header that ended the walk as the decoder reads to say why.
    u32 header = 8;
    *outcome = plain(skb, &frame, 1, 0);
    if (*outcome == GOES_ON) {
        *outcome = walk(skb, at);
        offset = at->offset;
        is_numbered = at->is_numbered;
        if (*outcome == UDP && at->transport_kept < 16) {
            return WHOLE;
        }
    }
    switch (*outcome) {
    case UDP:
        return octets_of_datagram(skb, offset + 8, at->transport);
    case LATER_FRAGMENT:
        return offset + PAYLOAD_OCTETS;
    case TCP:
        if (is_of_relay(be16(tcp), be16(tcp + 2))) {
            return WHOLE;
        }
        header = tcp[12] >> 4 < 5 ? 20 : (tcp[12] >> 4) * 4;
        break;
    case EXCLUDED_PORT:
    case NOT_IP:
    case OTHER_PROTOCOL:
        break;
    default:
        return WHOLE;
    }
    return is_numbered ? offset + header : 0;
}

// Counts a frame that is not kept, by what the walk found.
ALWAYS_INLINE void count_dropped(struct counters *counters, enum outcome outcome) {
    switch (outcome) {
    case TCP:
        ADD(counters->tcp, 1);
        break;
    case EXCLUDED_PORT:
        ADD(counters->excluded_port, 1);
        break;
    case NOT_IP:
        ADD(counters->not_ip, 1);
        break;
    default:
        ADD(counters->other_protocol, 1);
    }
}

SECTION("socket")
int media_filter(struct __sk_buff *skb) {
    enum outcome outcome;
    u32 octets = octets_of_frame(skb, &outcome);
    u32 slot = bpf_get_smp_processor_id() % SLOTS;
    struct counters *counters = ARRAY_AT(COUNTERS, slot);
    if (!counters) {
        return WHOLE;
    }
    ADD(counters->seen, 1);
    if (octets == 0) {
        count_dropped(counters, outcome);
        return 0;
    }
    if (octets >= skb->len || KEEP_WHOLE) {
        return WHOLE;
    }
    ADD(counters->snapped, 1);
    ADD(counters->octets_cut, skb->len - octets);
    return octets;
}

LICENSE("MIT");
