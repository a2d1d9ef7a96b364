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
ARRAY(EXCLUDED_UDP, u64, PORT_WORDS, 0);
ARRAY(RELAY_TCP, u64, PORT_WORDS, 0);

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

ALWAYS_INLINE int is_port_of(const void *ports_word, u32 port) {
    return ports_word && (*(const u64 *)ports_word >> (port & 63) & 1);
}

ALWAYS_INLINE int is_excluded(const u8 *udp) {
    u32 source = be16(udp), destination = be16(udp + 2);
    u32 source_word = source / 64, destination_word = destination / 64;
    return is_port_of(ARRAY_AT(EXCLUDED_UDP, source_word), source) ||
           is_port_of(ARRAY_AT(EXCLUDED_UDP, destination_word), destination);
}

ALWAYS_INLINE int is_of_relay(u32 source, u32 destination) {
    u32 source_word = source / 64, destination_word = destination / 64;
    return is_port_of(ARRAY_AT(RELAY_TCP, source_word), source) ||
           is_port_of(ARRAY_AT(RELAY_TCP, destination_word), destination);
}

// Octets to keep of a frame with a datagram: whole, unless it has the form of RTP, in a wrapper of TURN or not.
ALWAYS_INLINE u32 octets_of_datagram(struct __sk_buff *skb, const struct place *at) {
    const u8 *b = at->headers.transport + 8;
    u32 offset = at->offset + 8;
    u32 octets = udp_payload(at->headers.transport);
    u8 rtp[4] = {b[0], b[1], 0, 0};
    // ChannelData and Microsoft's multiplexed TURN fill the datagram, over UDP up to padding.
    u32 wrapper = 0;
    if (at->transport_kept < 16) {
        return WHOLE;
    }
    if (b[0] >> 4 == 4 && octets - 4 - be16(b + 2) <= 3) {
        wrapper = 4;
    } else if (b[0] == 0xFF && b[1] == 0x10 && octets == 4 + be16(b + 2)) {
        wrapper = 12;
    }
    if (wrapper) {
        offset += wrapper;
        if (!load(skb, offset, rtp, 2)) {
            return WHOLE;
        }
    }
    // RFC 5761, section 4. The octet 0x88 begins VXLAN too, on whatever port.
    if (rtp[0] >> 6 != 2 || rtp[0] == 0x88 || (rtp[1] >= 192 && rtp[1] <= 223)) {
        return WHOLE;
    }
    u32 sources = (rtp[0] & 0x0F) * 4;
    offset += 12 + sources;
    if (rtp[0] & 0x10) {
        if (!load(skb, offset, rtp, sizeof rtp)) {
            return WHOLE;
        }
        offset += 4 + be16(rtp + 2) * 4;
    }
    return offset + PAYLOAD_OCTETS;
}

// Octets to keep of a frame, 0 for none.
ALWAYS_INLINE u32 octets_of_frame(struct __sk_buff *skb, struct counters *counters) {
    struct place at = {.next = AT_ETHERNET};
    // As much of the header that ended the walk as the decoder reads to say why.
    u32 header = 8;
    u64 *reason;
    const u8 *tcp = at.headers.transport;
    switch (walk(skb, &at, plain(skb, &at), is_excluded)) {
    case UDP:
        return octets_of_datagram(skb, &at);
    case LATER_FRAGMENT:
        return at.offset + PAYLOAD_OCTETS;
    case TCP:
        if (is_of_relay(be16(tcp), be16(tcp + 2))) {
            return WHOLE;
        }
        header = tcp[12] >> 4 < 5 ? 20 : (tcp[12] >> 4) * 4;
        reason = &counters->tcp;
        break;
    case EXCLUDED_PORT:
        reason = &counters->excluded_port;
        break;
    case NOT_IP:
        reason = &counters->not_ip;
        break;
    case OTHER_PROTOCOL:
        reason = &counters->other_protocol;
        break;
    default:
        return WHOLE;
    }
    if (at.is_numbered) {
        return at.offset + header;
    }
    ADD(*reason, 1);
    return 0;
}

SECTION("socket")
int media_filter(struct __sk_buff *skb) {
    u32 slot = bpf_get_smp_processor_id() % SLOTS;
    struct counters *counters = ARRAY_AT(COUNTERS, slot);
    if (!counters) {
        return WHOLE;
    }
    ADD(counters->seen, 1);
    u32 octets = octets_of_frame(skb, counters);
    if (octets == 0 || octets >= skb->len) {
        return octets;
    }
    if (KEEP_WHOLE) {
        return WHOLE;
    }
    ADD(counters->snapped, 1);
    ADD(counters->octets_cut, skb->len - octets);
    return octets;
}

LICENSE("MIT");
