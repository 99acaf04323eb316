/* Whatever line arrives on the control socket, the answer is JSON or nothing, and the log takes what was taken. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/service.h"

#define RECORDS_MAX 500 /* a fresh store then: it lies in memory */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct operator_config config = {.control.telemetry = "/nowhere"};
static struct service service;
static char directory[] = "/dev/shm/chengmen-fuzz-XXXXXX";

static void empty_directory(void)
{
    DIR *list = opendir(directory);
    for (struct dirent *entry; list && (entry = readdir(list));)
        unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
}

static void remove_directory(void)
{
    journal_close(&service.journal);
    empty_directory();
    rmdir(directory);
}

static void open_store(void)
{
    char error[512];
    if (service.config)
        journal_close(&service.journal);
    else if (!mkdtemp(directory) || atexit(remove_directory) != 0)
        abort();
    empty_directory();
    if (service.seal_key)
        seal_key_close(service.seal_key);
    char path[sizeof directory + 16];
    snprintf(path, sizeof path, "%s/seal.key", directory);
    service =
        (struct service){.config = &config, .seal_key = seal_key_open(path, SEAL_MAY_CREATE, error, sizeof error)};
    if (!service.seal_key) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    if (!journal_open(directory, &service.journal, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256];
    if (!service.config || service.journal.state.sequence > RECORDS_MAX)
        open_store();
    char *line = malloc(size + 1);
    if (!line)
        return 0;
    memcpy(line, data, size);
    line[size] = '\0';
    char *answer = service_answer(&service, line, size);
    if (!journal_commit(&service.journal, error, sizeof error))
        abort();
    struct json_problems problems = {0};
    cJSON *read = answer ? json_parse(bytes_of_text(answer), &problems) : NULL;
    if (answer && !read)
        abort();
    cJSON_Delete(read);
    free(answer);
    free(line);
    return 0;
}
