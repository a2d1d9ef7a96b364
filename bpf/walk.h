//! From the link or the network layer to the innermost UDP or TCP header.
//
// Follows what the program's decoder follows, where that is simple; what is left out ends as UNKNOWN.
#pragma once
#include "ip.h"

// After so many a frame is too deep.
#define MOST_STEPS 16

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

// Headers in the order in which they most often follow each other, each kind once at most: so most frames take a step
// or two.
ALWAYS_INLINE enum outcome headers(struct __sk_buff *skb, struct place *at) {
    enum outcome outcome = GOES_ON;
    if (at->next == AT_PPP) {
        outcome = ppp(skb, at);
    }
    if (outcome == GOES_ON && at->next == AT_MPLS) {
        outcome = mpls(skb, at);
    }
    if (outcome == GOES_ON && at->next == AT_ETHERNET) {
        outcome = ethernet(skb, at);
    }
    if (outcome == GOES_ON && at->next == AT_IP) {
        outcome = ip(skb, at);
    }
    if (outcome == GOES_ON && at->next == AT_TYPE) {
        outcome = type(skb, at);
    }
    if (outcome == GOES_ON && at->next == AT_PROTOCOL) {
        outcome = protocol(skb, at);
    }
    return outcome;
}

// It is checked apart, knowing nothing of the place. What the kernel knows of a number it follows apart from all other
// numbers, over all that comes after, and without CAP_PERFMON it also follows ways that only a processor that guesses
// would take: too many, if it were one with the walk.
CHECKED_APART enum outcome step(struct __sk_buff *skb, struct place *at) {
    if (!at) {
        return UNKNOWN;
    }
    enum outcome outcome = headers(skb, at);
    if (outcome != UDP) {
        return outcome;
    }
    return is_excluded(at->transport) ? EXCLUDED_PORT : udp_tunnel(skb, at);
}

// Goes on from the place. The guesses go round and round a loop, which therefore must be none.
ALWAYS_INLINE enum outcome walk(struct __sk_buff *skb, struct place *at) {
    enum outcome outcome = GOES_ON;
    UNROLLED for (int steps = 0; steps < MOST_STEPS; steps++) {
        if (outcome == GOES_ON) {
            outcome = step(skb, at);
        }
    }
    return outcome == GOES_ON ? UNKNOWN : outcome;
}

// The commonest frame in one reading: IPv4 without options that is no fragment, with TCP, or UDP that is no tunnel. Its
// headers stand where they were read. Of any other frame the place is where the walk goes on: from the beginning, so
// also where it ends within these headers, or from UDP.
ALWAYS_INLINE enum outcome plain(struct __sk_buff *skb, struct frame *frame, int has_link, u32 kind) {
    struct place *at = &frame->at;
    u32 link = has_link ? sizeof frame->link : 0;
    int is_plain = has_link ? load(skb, 0, frame, sizeof *frame) : load(skb, 0, at, sizeof *at);
    is_plain = is_plain && (has_link ? be16(frame->link + 12) : kind) == ETHERTYPE_IPV4 && at->ipv4[0] == 0x45 &&
               (be16(at->ipv4 + 6) & 0x3FFF) == 0;
    if (is_plain && at->ipv4[9] == PROTOCOL_TCP) {
        return TCP;
    }
    is_plain = is_plain && at->ipv4[9] == PROTOCOL_UDP;
    if (is_plain && !may_be_tunnel(at->transport)) {
        enum outcome outcome = by_udp_length(at->transport);
        return outcome == UDP && is_excluded(at->transport) ? EXCLUDED_PORT : outcome;
    }
    at->offset = is_plain ? link + sizeof at->ipv4 : 0;
    at->next = is_plain ? AT_PROTOCOL : has_link ? AT_ETHERNET : AT_TYPE;
    at->kind = is_plain ? PROTOCOL_UDP : kind;
    at->is_ipv6 = 0;
    at->is_numbered = 0;
    at->addresses = link + 12;
    at->address_words = is_plain;
    at->transport_kept = 0;
    return GOES_ON;
}
