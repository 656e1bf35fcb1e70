// SPDX-License-Identifier: MIT
/*
 * program.c - a program of AIO operations, and its text
 *
 * One table says how each field of a step is written; printing and parsing both
 * go by it.
 */
#include "program.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const verbs[VERB_NR] = {
	[VERB_FILE] = "file",         [VERB_OPEN] = "open",       [VERB_DUP] = "dup",
	[VERB_PIPE] = "pipe",         [VERB_SOCKET] = "socket",   [VERB_BAD] = "bad",
	[VERB_RESTLESS] = "restless", [VERB_READ] = "read",       [VERB_WRITE] = "write",
	[VERB_FSYNC] = "fsync",       [VERB_DSYNC] = "dsync",     [VERB_NOP] = "nop",
	[VERB_NULL] = "null",         [VERB_STRANGE] = "strange", [VERB_LIST] = "list",
	[VERB_SUSPEND] = "suspend",   [VERB_CANCEL] = "cancel",   [VERB_FEED] = "feed",
	[VERB_DRAIN] = "drain",       [VERB_CLOSE] = "close",     [VERB_DUP2] = "dup2",
	[VERB_JOIN] = "join",         [VERB_COLLECT] = "collect", [VERB_SCRUB] = "scrub",
	[VERB_FORK] = "fork",         [VERB_PROCESS] = "process",
};
static const char *const actors[BY_NR] = { "main", "t0", "t1", "handler", "p1" };
static const char *const kinds[] = { "disk", "direct", "shm", NULL };
static const char *const accesses[] = { "both", "read", "write", "append", NULL };
static const char *const usages[] = { "aio", "plain", NULL };
static const char *const notices[] = { "none", "signal",  "handler", "thread",
				       "zero", "invalid", NULL };
static const char *const buffers[] = { "good", "odd", "null", "bad", "crossing", NULL };
static const char *const modes[] = { "wait", "nowait", NULL };
static const char *const answers[] = { "no", "yes", NULL };

enum form { FORM_INT, FORM_INT64, FORM_NAME, FORM_DESCRIPTOR, FORM_REQUEST };

static const struct field {
	const char *key;
	enum form form;
	size_t place;
	const char *const *names;
} fields[] = {
	{ "of", FORM_DESCRIPTOR, offsetof(struct step, of), NULL },
	{ "peer", FORM_DESCRIPTOR, offsetof(struct step, peer), NULL },
	{ "block", FORM_REQUEST, offsetof(struct step, block), NULL },
	{ "kind", FORM_NAME, offsetof(struct step, kind), kinds },
	{ "access", FORM_NAME, offsetof(struct step, access), accesses },
	{ "reader", FORM_NAME, offsetof(struct step, reader), usages },
	{ "writer", FORM_NAME, offsetof(struct step, writer), usages },
	{ "nonblocking", FORM_NAME, offsetof(struct step, is_nonblocking), answers },
	{ "size", FORM_INT64, offsetof(struct step, size), NULL },
	{ "offset", FORM_INT64, offsetof(struct step, offset), NULL },
	{ "length", FORM_INT64, offsetof(struct step, length), NULL },
	{ "priority", FORM_INT, offsetof(struct step, priority), NULL },
	{ "notice", FORM_NAME, offsetof(struct step, notice), notices },
	{ "buffer", FORM_NAME, offsetof(struct step, buffer), buffers },
	{ "mode", FORM_NAME, offsetof(struct step, mode), modes },
	{ "timeout", FORM_INT64, offsetof(struct step, timeout_us), NULL },
};

#define NR_FIELDS (sizeof(fields) / sizeof(fields[0]))

struct step step_init(enum verb verb)
{
	return (struct step){ .verb = (int)verb,
			      .descriptor = -1,
			      .request = -1,
			      .of = -1,
			      .peer = -1,
			      .block = -1,
			      .timeout_us = NO_TIMEOUT };
}

bool step_is_submission(const struct step *step)
{
	switch (step->verb) {
	case VERB_READ:
	case VERB_WRITE:
	case VERB_FSYNC:
	case VERB_DSYNC:
		return true;
	default:
		return false;
	}
}

bool program_has(const struct program *program, enum verb verb)
{
	for (int i = 0; i < program->nr; i++)
		if (program->steps[i].verb == (int)verb)
			return true;
	return false;
}

static int64_t load(const struct step *step, const struct field *field)
{
	const char *place = (const char *)step + field->place;

	return field->form == FORM_INT64 ? *(const int64_t *)place : *(const int *)place;
}

static void store(struct step *step, const struct field *field, int64_t value)
{
	char *place = (char *)step + field->place;

	if (field->form == FORM_INT64)
		*(int64_t *)place = value;
	else
		*(int *)place = (int)value;
}

static void add_word(char *text, size_t size, const char *format, long long value)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, format, value);
}

static void add_text(char *text, size_t size, const char *before, const char *word)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s%s", before, word);
}

static void print_field(const struct step *step, const struct field *field, char *text, size_t size)
{
	struct step initial = step_init(step->verb);
	int64_t value = load(step, field);

	if (value == load(&initial, field))
		return;
	add_text(text, size, " ", field->key);
	if (field->form == FORM_NAME)
		add_text(text, size, "=", field->names[value]);
	else if (field->form == FORM_DESCRIPTOR)
		add_word(text, size, "=d%lld", value);
	else if (field->form == FORM_REQUEST)
		add_word(text, size, "=r%lld", value);
	else
		add_word(text, size, "=%lld", value);
}

void step_print(const struct step *step, char *text, size_t size)
{
	text[0] = '\0';
	if (step->is_in_child)
		add_text(text, size, "", "> ");
	if (step->actor != BY_MAIN) {
		add_text(text, size, "", actors[step->actor]);
		add_text(text, size, "", " ");
	}
	if (step->is_listed)
		add_text(text, size, "", "- ");
	add_text(text, size, "", verbs[step->verb]);
	if (step->request >= 0)
		add_word(text, size, " r%lld", step->request);
	if (step->descriptor >= 0)
		add_word(text, size, " d%lld", step->descriptor);
	for (size_t i = 0; i < NR_FIELDS; i++)
		print_field(step, &fields[i], text, size);
	for (int i = 0; i < step->nr_entries; i++) {
		add_text(text, size, i ? "," : " entries=", "");
		if (step->entries[i] == NO_ENTRY)
			add_text(text, size, "", "null");
		else
			add_word(text, size, "r%lld", step->entries[i]);
	}
}

void program_print(const struct program *program, FILE *out)
{
	char text[512];

	for (int i = 0; i < program->nr; i++) {
		step_print(&program->steps[i], text, sizeof(text));
		fprintf(out, "%s\n", text);
	}
}

static bool parse_number(const char *word, char prefix, int64_t max, int64_t *value)
{
	char *end;

	if (prefix && *word++ != prefix)
		return false;
	*value = strtoll(word, &end, 10);
	return end != word && *end == '\0' && (!prefix || (*value >= 0 && *value < max));
}

static bool parse_name(const char *word, const char *const *names, int64_t *value)
{
	for (*value = 0; names[*value]; ++*value)
		if (strcmp(word, names[*value]) == 0)
			return true;
	return false;
}

static bool parse_entries(struct step *step, char *list)
{
	char *rest = NULL;
	int64_t value;

	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (step->nr_entries == ENTRIES_MAX)
			return false;
		if (strcmp(word, "null") == 0)
			value = NO_ENTRY;
		else if (!parse_number(word, 'r', REQUESTS_MAX, &value))
			return false;
		step->entries[step->nr_entries++] = (int)value;
	}
	return true;
}

static bool parse_field(struct step *step, char *word)
{
	char *text = strchr(word, '=');
	int64_t value;
	bool is_good;

	if (!text)
		return false;
	*text++ = '\0';
	if (strcmp(word, "entries") == 0)
		return parse_entries(step, text);
	for (size_t i = 0; i < NR_FIELDS; i++) {
		if (strcmp(word, fields[i].key) != 0)
			continue;
		if (fields[i].form == FORM_NAME)
			is_good = parse_name(text, fields[i].names, &value);
		else if (fields[i].form == FORM_DESCRIPTOR)
			is_good = parse_number(text, 'd', DESCRIPTORS_MAX, &value);
		else if (fields[i].form == FORM_REQUEST)
			is_good = parse_number(text, 'r', REQUESTS_MAX, &value);
		else
			is_good = parse_number(text, '\0', 0, &value);
		if (is_good)
			store(step, &fields[i], value);
		return is_good;
	}
	return false;
}

static int find_word(const char *word, const char *const *words, int nr)
{
	for (int i = 0; i < nr; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	return -1;
}

static bool parse_step(struct step *step, char *line)
{
	bool has_verb = false;
	char *rest = NULL;
	int64_t value;

	*step = step_init(0);
	for (char *word = strtok_r(line, " \t\n", &rest); word;
	     word = strtok_r(NULL, " \t\n", &rest)) {
		if (strcmp(word, ">") == 0) {
			step->is_in_child = true;
		} else if (strcmp(word, "-") == 0) {
			step->is_listed = true;
		} else if (!has_verb && find_word(word, actors, BY_NR) >= 0) {
			step->actor = find_word(word, actors, BY_NR);
		} else if (!has_verb) {
			step->verb = find_word(word, verbs, VERB_NR);
			has_verb = step->verb >= 0;
			if (!has_verb)
				return false;
		} else if (parse_number(word, 'd', DESCRIPTORS_MAX, &value)) {
			step->descriptor = (int)value;
		} else if (parse_number(word, 'r', REQUESTS_MAX, &value)) {
			step->request = (int)value;
		} else if (!parse_field(step, word)) {
			return false;
		}
	}
	return has_verb;
}

bool program_parse(struct program *program, FILE *in, const char *name)
{
	char line[512], copy[512];
	int number = 0;

	memset(program, 0, sizeof(*program));
	while (fgets(line, sizeof(line), in)) {
		number++;
		line[strcspn(line, "#")] = '\0';
		if (line[strspn(line, " \t\n")] == '\0')
			continue;
		memcpy(copy, line, sizeof(copy));
		if (program->nr == STEPS_MAX || !parse_step(&program->steps[program->nr++], line)) {
			fprintf(stderr, "fuzz: %s:%d: not a step: %s\n", name, number, copy);
			return false;
		}
	}
	return program->nr > 0;
}
