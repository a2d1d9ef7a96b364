//! What bpf/kernel.h gives the programs, for running them as an ordinary process.
#pragma once
#include <stddef.h>
#include <string.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ALWAYS_INLINE static inline
#define CHECKED_APART static
#define UNROLLED
#define SECTION(name)
#define LICENSE(text) extern const char licence_of_program[]

struct __sk_buff {
    u32 len;
    u32 pkt_type;
    u32 protocol;
    const u8 *data;
};

#define BPF_F_MMAPABLE 0
#define PACKET_OUTGOING 4
#define ARRAY(name, value_type, entries, flags) static value_type name[entries]
#define ARRAY_AT(name, index) ((index) < sizeof(name) / sizeof(name[0]) ? (void *)&name[index] : NULL)
#define SETTING(type, name, value) static type name = value
#define SETTINGS(type, name, entries) static type name[entries]
#define ADD(counter, number) (counter) += (number)

static inline u32 bpf_get_smp_processor_id(void) { return 65; }

static inline long bpf_skb_load_bytes(const struct __sk_buff *skb, u32 offset, void *to, u32 octets) {
    if (offset > skb->len || octets > skb->len - offset) {
        return -14;
    }
    memcpy(to, skb->data + offset, octets);
    return 0;
}
