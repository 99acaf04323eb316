#include "control/telemetry_client.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX 65536
#define WAIT_US 100000

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_usec = WAIT_US};
    if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= (int)sizeof address.sun_path)
        return -1;
    int dataplane = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool ok = dataplane >= 0 && setsockopt(dataplane, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
              setsockopt(dataplane, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
              connect(dataplane, (const struct sockaddr *)&address, sizeof address) == 0;
    if (ok)
        return dataplane;
    if (dataplane >= 0)
        close(dataplane);
    return -1;
}

static cJSON *receive(int dataplane)
{
    static uint8_t room[ANSWER_MAX];
    ssize_t got = recv(dataplane, room, sizeof room, 0);
    struct json_problems ignored = {0};
    cJSON *answer = got > 0 ? json_parse((struct bytes){room, (size_t)got}, &ignored) : NULL;
    json_problems_free(&ignored);
    return answer;
}

static cJSON *ask(int dataplane, const char *command)
{
    if (send(dataplane, command, strlen(command), MSG_NOSIGNAL) < 0)
        return NULL;
    cJSON *answer = receive(dataplane);
    cJSON *content = cJSON_DetachItemFromObjectCaseSensitive(answer, command);
    cJSON_Delete(answer);
    if (cJSON_IsObject(content))
        return content;
    cJSON_Delete(content);
    return NULL;
}

bool telemetry_read(const char *path, struct telemetry *out)
{
    *out = (struct telemetry){NULL, NULL, NULL};
    int dataplane = connect_to(path);
    if (dataplane < 0)
        return false;
    cJSON *banner = receive(dataplane);
    if (banner)
        out->info = ask(dataplane, "/chengmen/info");
    if (out->info)
        out->counters = ask(dataplane, "/chengmen/counters");
    if (out->counters)
        out->verdicts = ask(dataplane, "/chengmen/verdicts");
    cJSON_Delete(banner);
    close(dataplane);
    return out->info != NULL;
}

void telemetry_free(struct telemetry *telemetry)
{
    cJSON_Delete(telemetry->counters);
    cJSON_Delete(telemetry->verdicts);
    cJSON_Delete(telemetry->info);
    *telemetry = (struct telemetry){NULL, NULL, NULL};
}
