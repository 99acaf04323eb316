/* The parts of `chengmen explain`. */
#pragma once

#include "control/explain.h"

/* What explain() told, for people. */
void explain_print(const cJSON *told, enum language language);

/* Answers the questions of a file, a JSON object a line, with a JSON object each. `question` has what they share.
 * Returns enum cli_exit: CLI_REFUSED after a message where a line is no question. */
int explain_questions(struct snapshot *snapshot, const struct explain_question *question, const char *path);
