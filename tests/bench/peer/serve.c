#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/peer/peer.h"

#define BATCH 64
#define DATAGRAM_MAX 1500
#define SOCKET_BUFFER (64 << 20)

static int open_socket(uint16_t port)
{
    int size = SOCKET_BUFFER;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct batch {
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_vector[BATCH], out_vector[BATCH];
    struct sockaddr_in from[BATCH];
    uint8_t requests[BATCH][DATAGRAM_MAX], answers[BATCH][PEER_ANSWER_MAX];
};

static void prepare(struct batch *batch)
{
    for (unsigned i = 0; i < BATCH; i++) {
        batch->in_vector[i] = (struct iovec){batch->requests[i], DATAGRAM_MAX};
        batch->in[i].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
                                               .msg_namelen = sizeof batch->from[i],
                                               .msg_iov = &batch->in_vector[i],
                                               .msg_iovlen = 1};
    }
}

static unsigned answer_all(struct peer *peer, struct batch *batch, unsigned count)
{
    unsigned answers = 0;
    peer_begin(peer);
    for (unsigned i = 0; i < count; i++) {
        size_t length =
            peer_answer(peer, (struct bytes){batch->requests[i], batch->in[i].msg_len}, batch->answers[answers]);
        if (length == 0)
            continue;
        batch->out_vector[answers] = (struct iovec){batch->answers[answers], length};
        batch->out[answers].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
                                                      .msg_namelen = sizeof batch->from[i],
                                                      .msg_iov = &batch->out_vector[answers],
                                                      .msg_iovlen = 1};
        answers++;
    }
    peer_end(peer);
    return answers;
}

void peer_serve(const struct peer_options *options)
{
    static struct batch batch;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(options->core, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
    int fd = open_socket(options->port);
    struct peer *peer = fd >= 0 ? peer_open(options) : NULL;
    if (!peer)
        return;
    for (;;) {
        prepare(&batch);
        int count = recvmmsg(fd, batch.in, BATCH, MSG_WAITFORONE, NULL);
        unsigned answers = count > 0 ? answer_all(peer, &batch, (unsigned)count) : 0;
        for (unsigned sent = 0; sent < answers;) {
            int n = sendmmsg(fd, batch.out + sent, answers - sent, 0);
            sent += n > 0 ? (unsigned)n : 1; /* one that cannot be sent is left out */
        }
    }
}
