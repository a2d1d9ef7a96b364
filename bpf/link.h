//! Links, tags and labels: what stands before IP.
#pragma once
#include "place.h"

#define ETHERTYPE_FIRST 0x0600
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86DD
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_NSH 0x894F
#define ETHERTYPE_PPP 0x880B
#define ETHERTYPE_TRANSPARENT 0x6558

ALWAYS_INLINE int is_vlan(u32 kind) {
    return kind == 0x8100 || kind == 0x88A8 || kind == 0x9100 || kind == 0x9200 || kind == 0x9300;
}

enum likeness { UNLIKE, LIKE, UNSURE };

// Whether octets read as a frame of Ethernet: a common type, and IP's version where the type says IP.
ALWAYS_INLINE enum likeness like_ethernet(struct __sk_buff *skb, u32 offset) {
    u8 b[3];
    if (!load(skb, offset + 12, b, sizeof b)) {
        return UNSURE;
    }
    u32 kind = be16(b);
    u32 version = b[2] >> 4;
    switch (kind) {
    case ETHERTYPE_IPV4:
        return version == 4 ? LIKE : UNLIKE;
    case ETHERTYPE_IPV6:
        return version == 6 ? LIKE : UNLIKE;
    case ETHERTYPE_MPLS:
    case 0x8864: // PPPoE session
    case 0x0806: // ARP
    case 0x88CC: // LLDP
    case 0x88E5: // MACsec
    case 0x88E7: // provider backbone
        return LIKE;
    }
    // Below the first type it is a length, which only the decoder holds against what it should be.
    if (kind < ETHERTYPE_FIRST && (b[2] == 0xAA || b[2] == 0x42)) {
        return UNSURE;
    }
    return is_vlan(kind) ? LIKE : UNLIKE;
}

ALWAYS_INLINE enum outcome ethernet(struct __sk_buff *skb, struct place *at) {
    u8 b[2];
    return load(skb, at->offset + 12, b, sizeof b) ? on_type(at, be16(b), 14) : UNKNOWN;
}

// LLC, and the type behind SNAP (RFC 1042).
ALWAYS_INLINE enum outcome llc(struct __sk_buff *skb, struct place *at) {
    u8 b[8];
    if (!load(skb, at->offset, b, sizeof b)) {
        return UNKNOWN;
    }
    if (b[0] == 0xAA && b[1] == 0xAA && b[2] == 3) {
        u32 kind = be16(b + 6);
        int is_type = b[3] == 0 && b[4] == 0 && (b[5] == 0 || b[5] == 0xF8) && kind >= ETHERTYPE_FIRST;
        return is_type ? on_type(at, kind, 8) : NOT_IP;
    }
    return b[0] == 6 && b[1] == 6 && b[2] == 3 ? on(at, AT_IP, 3) : NOT_IP;
}

// A tag of so many octets, of which the last two are the type of what follows.
ALWAYS_INLINE enum outcome tag(struct __sk_buff *skb, struct place *at, u32 octets) {
    u8 b[2];
    return load(skb, at->offset + octets - 2, b, sizeof b) ? on_type(at, be16(b), octets) : UNKNOWN;
}

ALWAYS_INLINE enum outcome pppoe(struct __sk_buff *skb, struct place *at) {
    u8 b[2];
    if (!load(skb, at->offset, b, sizeof b) || b[0] != 0x11) {
        return UNKNOWN;
    }
    return b[1] == 0 ? on(at, AT_PPP, 6) : NOT_IP;
}

// Address and control may be there or not; the protocol has one octet where that is odd (RFC 1661, RFC 1662).
ALWAYS_INLINE enum outcome ppp(struct __sk_buff *skb, struct place *at) {
    u8 b[2];
    if (!load(skb, at->offset, b, sizeof b)) {
        return UNKNOWN;
    }
    if (b[0] == 0xFF && b[1] == 0x03) {
        advance(at, 2);
        if (!load(skb, at->offset, b, sizeof b)) {
            return UNKNOWN;
        }
    }
    u32 is_short = b[0] & 1;
    u32 octets = is_short ? 1 : 2;
    switch (is_short ? b[0] : be16(b)) {
    case 0x0021:
        return on_type(at, ETHERTYPE_IPV4, octets);
    case 0x0057:
        return on_type(at, ETHERTYPE_IPV6, octets);
    case 0x0281:
    case 0x0283:
        return on(at, AT_MPLS, octets);
    default:
        return UNKNOWN;
    }
}

// One entry of a label stack. No field says what lies below the last (RFC 3032, RFC 4385).
ALWAYS_INLINE enum outcome mpls(struct __sk_buff *skb, struct place *at) {
    u8 b[5];
    if (!load(skb, at->offset, b, sizeof b)) {
        return UNKNOWN;
    }
    advance(at, 4);
    if (!(b[2] & 1)) {
        return GOES_ON;
    }
    enum likeness likeness = like_ethernet(skb, at->offset);
    switch (b[4] >> 4) {
    case 4:
    case 6:
        // What may be both is left to the decoder, which looks at checksums.
        return likeness == UNLIKE ? on(at, AT_IP, 0) : UNKNOWN;
    case 0:
        // A control word, or an address.
        switch (like_ethernet(skb, at->offset + 4)) {
        case LIKE:
            return on(at, AT_ETHERNET, 4);
        case UNSURE:
            return UNKNOWN;
        case UNLIKE:
            break;
        }
    }
    return likeness == LIKE ? on(at, AT_ETHERNET, 0) : UNKNOWN;
}

ALWAYS_INLINE enum outcome by_nsh_protocol(struct place *at, u32 protocol, u32 octets) {
    switch (protocol) {
    case 1:
        return on_type(at, ETHERTYPE_IPV4, octets);
    case 2:
        return on_type(at, ETHERTYPE_IPV6, octets);
    case 3:
        return on(at, AT_ETHERNET, octets);
    case 4:
        return on_type(at, ETHERTYPE_NSH, octets);
    case 5:
        return on(at, AT_MPLS, octets);
    default:
        return UNKNOWN;
    }
}

// Network Service Header (RFC 8300).
ALWAYS_INLINE enum outcome nsh(struct __sk_buff *skb, struct place *at) {
    u8 b[4];
    if (!load(skb, at->offset, b, sizeof b) || b[0] >> 6 != 0 || (b[1] & 0x3F) < 2) {
        return UNKNOWN;
    }
    return by_nsh_protocol(at, b[3], (b[1] & 0x3F) * 4);
}
