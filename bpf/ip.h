//! IPv4 and IPv6: headers, extension headers, fragments, and what follows.
#pragma once
#include "tunnel.h"

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_GRE 47
#define PROTOCOL_AUTHENTICATION 51

// A fragment that holds no transport header: of media, or of a tunnel.
ALWAYS_INLINE enum outcome later_fragment(u32 protocol) {
    switch (protocol) {
    case PROTOCOL_UDP:
    case PROTOCOL_TCP:
    case 4:
    case 41:
    case PROTOCOL_GRE:
    case PROTOCOL_AUTHENTICATION:
    case 94:
    case 97:
    case 137:
        return LATER_FRAGMENT;
    default:
        return OTHER_PROTOCOL;
    }
}

ALWAYS_INLINE enum outcome ipv4(struct __sk_buff *skb, struct place *at) {
    u8 b[10];
    if (!load(skb, at->offset, b, sizeof b) || b[0] >> 4 != 4 || (b[0] & 0xF) < 5) {
        return UNKNOWN;
    }
    at->addresses = at->offset + 12;
    at->address_words = 1;
    at->is_ipv6 = 0;
    at->kind = b[9];
    on(at, AT_PROTOCOL, (b[0] & 0xF) * 4);
    return be16(b + 6) & 0x1FFF ? later_fragment(b[9]) : GOES_ON;
}

ALWAYS_INLINE enum outcome ipv6(struct __sk_buff *skb, struct place *at) {
    u8 b[7];
    if (!load(skb, at->offset, b, sizeof b) || b[0] >> 4 != 6) {
        return UNKNOWN;
    }
    at->addresses = at->offset + 8;
    at->address_words = 4;
    at->is_ipv6 = 1;
    at->kind = b[6];
    return on(at, AT_PROTOCOL, 40);
}

// One extension header (RFC 8200, section 4).
ALWAYS_INLINE enum outcome extension(struct __sk_buff *skb, struct place *at) {
    u8 b[4];
    if (!load(skb, at->offset, b, sizeof b)) {
        return UNKNOWN;
    }
    u32 was = at->kind;
    at->kind = b[0];
    if (was == PROTOCOL_AUTHENTICATION) {
        advance(at, (b[1] + 2) * 4);
        return GOES_ON;
    }
    if (was == 44) {
        advance(at, 8);
        return be16(b + 2) & 0xFFF8 ? later_fragment(b[0]) : GOES_ON;
    }
    advance(at, (b[1] + 1) * 8);
    return GOES_ON;
}

ALWAYS_INLINE enum outcome by_udp_length(const u8 *udp) {
    // 0 is a jumbogram or segmentation offload.
    u32 octets = be16(udp + 4);
    return octets != 0 && octets < 8 ? UNKNOWN : UDP;
}

ALWAYS_INLINE enum outcome udp(struct __sk_buff *skb, struct place *at) {
    at->transport_kept = 16;
    if (!load(skb, at->offset, at->transport, 16)) {
        at->transport_kept = 8;
        if (!load(skb, at->offset, at->transport, 8)) {
            return UNKNOWN;
        }
    }
    return by_udp_length(at->transport);
}

// What a protocol number names.
ALWAYS_INLINE enum outcome protocol(struct __sk_buff *skb, struct place *at) {
    switch (at->kind) {
    case PROTOCOL_UDP:
        return udp(skb, at);
    case PROTOCOL_TCP: // ports and the header's length
        return load(skb, at->offset, at->transport, 14) ? TCP : UNKNOWN;
    case 4:
    case 94:
        return on_type(at, ETHERTYPE_IPV4, 0);
    case 41:
        return on_type(at, ETHERTYPE_IPV6, 0);
    case PROTOCOL_GRE:
        return gre(skb, at);
    case 97: // EtherIP
        return on(at, AT_ETHERNET, 2);
    case 137:
        return on(at, AT_MPLS, 0);
    case PROTOCOL_AUTHENTICATION:
        return extension(skb, at);
    case 0:   // hop by hop
    case 43:  // routing
    case 44:  // fragment
    case 60:  // destination options
    case 135: // mobility
    case 139: // HIP
    case 140: // shim6
        return at->is_ipv6 ? extension(skb, at) : OTHER_PROTOCOL;
    default:
        return OTHER_PROTOCOL;
    }
}
