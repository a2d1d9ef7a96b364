//! Runs one of the programs over frames from standard input, and answers on standard output.
//
// A question: what to do, two numbers of 32 bits (host byte order); a frame of that many octets for RUN.
// The answer to RUN: the program's result. All else has none, but COUNT, which gives the counters.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include PROGRAM

enum { RUN, EXCLUDE, RELAY, SET, COUNT };

#ifndef FROM_NETWORK_LAYER
static void set_ports(u64 *words, u32 first, u32 last) {
    for (u32 port = first; port <= last; port++) {
        words[port / 64] |= (u64)1 << port % 64;
    }
}
#endif

int main(void) {
    u32 question[3];
    while (fread(question, sizeof question, 1, stdin) == 1) {
        switch (question[0]) {
        case RUN: {
            // Exactly as large as the frame, so that a tool for the memory sees what is read beyond.
            u8 *data = malloc(question[1] ? question[1] : 1);
            if (!data || fread(data, 1, question[1], stdin) != question[1]) {
                return 1;
            }
            struct __sk_buff skb = {.len = question[1], .protocol = question[2], .data = data};
            u32 result = (u32)ENTRY(&skb);
            free(data);
            fwrite(&result, sizeof result, 1, stdout);
            break;
        }
#ifndef FROM_NETWORK_LAYER
        case EXCLUDE:
            set_ports(EXCLUDED_UDP, question[1], question[2]);
            break;
        case RELAY:
            set_ports(RELAY_TCP, question[1], question[2]);
            break;
        case SET:
            PAYLOAD_OCTETS = question[1];
            KEEP_WHOLE = question[2];
            break;
        case COUNT:
            fwrite(&COUNTERS[65 % SLOTS], sizeof COUNTERS[0], 1, stdout);
            break;
#endif
        default:
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}
