//! What the programs need of the kernel: context, helpers, maps.
//
// All of it is stable user API of the kernel, written out here so that clang is all that a build needs. The tests
// put another header of this name in its place and run the programs as ordinary code.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ALWAYS_INLINE static inline __attribute__((always_inline))
// A function that the kernel checks once and apart from what calls it, knowing nothing of what its arguments point to.
#define CHECKED_APART __attribute__((noinline))
// A loop that is none when the kernel checks it; else clang says that it could not.
#define UNROLLED _Pragma("clang loop unroll(full)")
#define SECTION(name) __attribute__((section(name), used))
// None of the helpers below asks for a program under the GPL.
#define LICENSE(text) const char licence_of_program[] SECTION("license") = text

// The beginning of struct __sk_buff (linux/bpf.h).
struct __sk_buff {
    u32 len;
    u32 pkt_type;
    u32 mark;
    u32 queue_mapping;
    u32 protocol; // network byte order
};

// struct xdp_md (linux/bpf.h), as far as it is old. The kernel makes pointers of the first two when they are read.
struct xdp_md {
    u32 data;
    u32 data_end;
};

static void *(*const bpf_map_lookup_elem)(const void *map, const void *key) = (void *)1;
static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;
static long (*const bpf_skb_load_bytes)(const struct __sk_buff *skb, u32 offset, void *to, u32 octets) = (void *)26;

static void *(*const bpf_ringbuf_reserve)(void *ring, u64 octets, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static void (*const bpf_ringbuf_discard)(void *record, u64 flags) = (void *)133;
static u64 (*const bpf_xdp_get_buff_len)(struct xdp_md *xdp) = (void *)188;
static long (*const bpf_xdp_load_bytes)(struct xdp_md *xdp, u32 offset, void *to, u32 octets) = (void *)189;

#define PACKET_OUTGOING 4

#define XDP_DROP 1
#define XDP_PASS 2

#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_RINGBUF 27
#define BPF_F_MMAPABLE (1 << 10)
// Who reads looks by itself.
#define BPF_RB_NO_WAKEUP 1

// An array in the kernel that the loader finds by its name (BTF-defined).
#define ARRAY(name, value_type, entries, flags)                                                                        \
    struct {                                                                                                           \
        int(*type)[BPF_MAP_TYPE_ARRAY];                                                                                \
        int(*max_entries)[entries];                                                                                    \
        int(*map_flags)[flags];                                                                                        \
        u32 *key;                                                                                                      \
        value_type *value;                                                                                             \
    } name SECTION(".maps")
// A ring of so many octets, a power of two, that the loader may make longer or shorter.
#define RING(name, octets)                                                                                             \
    struct {                                                                                                           \
        int(*type)[BPF_MAP_TYPE_RINGBUF];                                                                              \
        int(*max_entries)[octets];                                                                                     \
    } name SECTION(".maps")
#define ARRAY_AT(name, index) bpf_map_lookup_elem(&name, &(index))

// A value that the loader sets before the program is checked, so that the check and the compiler of the kernel take
// it for a constant; and many of them, 0 unless set.
#define SETTING(type, name, value) const volatile type name = value
#define SETTINGS(type, name, entries) const volatile type name[entries] = {0}

// Clang would join several additions to one that adds this or that number to a pointer, which the kernel refuses
// without CAP_PERFMON: so each address is made where it stands.
#define ADD(counter, number)                                                                                           \
    do {                                                                                                               \
        __typeof__(&(counter)) address = &(counter);                                                                   \
        __asm__ volatile("" : "+r"(address));                                                                          \
        __sync_fetch_and_add(address, number);                                                                         \
    } while (0)
