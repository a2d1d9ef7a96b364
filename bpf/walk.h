//! From the link or the network layer to the innermost UDP or TCP header.
//
// Follows what the program's decoder follows, where that is simple; what is left out ends as UNKNOWN.
#pragma once
#include "ip.h"

// Headers that are followed.
#define DEEPEST 16

// Whether a UDP header is to be looked at no further. Each program says for itself.
ALWAYS_INLINE int is_excluded(const u8 *udp);

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

ALWAYS_INLINE enum outcome header(struct __sk_buff *skb, struct place *at) {
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

// One header, and of UDP what it says of its payload. Ways through a packet add up here, and do not multiply: without
// CAP_PERFMON the kernel's check also follows those that only a processor that guesses would take.
CHECKED_APART enum outcome step(struct __sk_buff *skb, struct place *at) {
    if (!at) {
        return UNKNOWN;
    }
    enum outcome outcome = header(skb, at);
    if (outcome != UDP) {
        return outcome;
    }
    return is_excluded(at->headers.transport) ? EXCLUDED_PORT : udp_tunnel(skb, at);
}

ALWAYS_INLINE enum outcome walk(struct __sk_buff *skb, struct place *at) {
    for (int headers = 0; headers < DEEPEST; headers++) {
        enum outcome outcome = step(skb, at);
        if (outcome != GOES_ON) {
            return outcome;
        }
    }
    return UNKNOWN;
}

// The commonest frame in one reading: Ethernet, and IPv4 without options that is no fragment, with TCP, or UDP that is
// no tunnel. Then only the headers of the place are set. Else it is where the walk goes on: from the link, so also for
// a frame that ends within its first headers, or from UDP.
ALWAYS_INLINE enum outcome plain(struct __sk_buff *skb, struct place *at) {
    const u8 *ip = at->headers.before + 14;
    const u8 *udp = at->headers.transport;
    int is_plain = load(skb, 0, &at->headers, sizeof at->headers) && be16(ip - 2) == ETHERTYPE_IPV4 && ip[0] == 0x45 &&
                   (be16(ip + 6) & 0x3FFF) == 0;
    if (is_plain && ip[9] == PROTOCOL_TCP) {
        return TCP;
    }
    is_plain = is_plain && ip[9] == PROTOCOL_UDP;
    if (is_plain && !may_be_tunnel(udp)) {
        return by_udp_length(udp) == UDP && is_excluded(udp) ? EXCLUDED_PORT : by_udp_length(udp);
    }
    *at = (struct place){
        .offset = is_plain ? sizeof at->headers.before : 0,
        .next = is_plain ? AT_PROTOCOL : AT_ETHERNET,
        .kind = PROTOCOL_UDP,
        .addresses = 14 + 12,
        .address_words = is_plain,
    };
    return GOES_ON;
}
