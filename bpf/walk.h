//! From the link or the network layer to the innermost UDP or TCP header.
//
// Follows what the program's decoder follows, where that is simple; what is left out ends as UNKNOWN.
#pragma once
#include "ip.h"

// Headers that are followed; the kernel looks at every way through them when it loads the program.
#define DEEPEST 16

ALWAYS_INLINE enum outcome type(struct __sk_buff *skb, struct place *at) {
    u32 kind = at->kind;
    switch (kind) {
    case ETHERTYPE_IPV4:
        return ipv4(skb, at);
    case ETHERTYPE_IPV6:
        return ipv6(skb, at);
    case 0x8100:
    case 0x88A8:
    case 0x9100:
    case 0x9200:
    case 0x9300:
        return tag(skb, at, 4);
    case ETHERTYPE_MPLS:
    case 0x8848:
        return on(at, AT_MPLS, 0);
    case 0x8864:
        return pppoe(skb, at);
    case 0x8926: // VN-Tag
        return tag(skb, at, 6);
    case 0x893F: // E-Tag
    case 0x8909: // Cisco metadata
        return tag(skb, at, 8);
    case 0x88E7: // provider backbone
        return on(at, AT_ETHERNET, 4);
    case 0x88E5: // MACsec
        return UNKNOWN;
    case ETHERTYPE_NSH:
        return nsh(skb, at);
    case ETHERTYPE_TRANSPARENT:
        return on(at, AT_ETHERNET, 0);
    case ETHERTYPE_PPP:
        return on(at, AT_PPP, 0);
    default:
        return kind < ETHERTYPE_FIRST ? llc(skb, at) : NOT_IP;
    }
}

ALWAYS_INLINE enum outcome ip(struct __sk_buff *skb, struct place *at) {
    u8 version;
    if (!load(skb, at->offset, &version, 1)) {
        return UNKNOWN;
    }
    switch (version >> 4) {
    case 4:
        return ipv4(skb, at);
    case 6:
        return ipv6(skb, at);
    default:
        return NOT_IP;
    }
}

ALWAYS_INLINE enum outcome step(struct __sk_buff *skb, struct place *at) {
    switch (at->next) {
    case AT_TYPE:
        return type(skb, at);
    case AT_PROTOCOL:
        return protocol(skb, at);
    case AT_ETHERNET:
        return ethernet(skb, at);
    case AT_IP:
        return ip(skb, at);
    case AT_MPLS:
        return mpls(skb, at);
    default:
        return ppp(skb, at);
    }
}

// `is_excluded` says of a UDP header whether it is to be looked at no further.
ALWAYS_INLINE enum outcome walk(struct __sk_buff *skb, struct place *at, int (*is_excluded)(const u8 *udp)) {
    for (int headers = 0; headers < DEEPEST; headers++) {
        enum outcome outcome = step(skb, at);
        if (outcome == UDP) {
            if (is_excluded(at->udp)) {
                return EXCLUDED_PORT;
            }
            outcome = udp_tunnel(skb, at);
        }
        if (outcome != GOES_ON) {
            return outcome;
        }
    }
    return UNKNOWN;
}
