// SPDX-License-Identifier: MIT
/*
 * explain_main.c - rtaio-explain: runs a command and reports what its AIO did.
 *
 * "rtaio explain" runs this program with the variables of the command as arguments, so that it is
 * not served by the library itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/explain_report.h"
#include "tools/explain_run.h"

enum { EXIT_OURS = 125 };

enum form { FORM_TEXT, FORM_JSON, FORM_HTML, FORMS };

static const struct {
	const char *name;
	explain_form *write;
} forms[FORMS] = {
	[FORM_TEXT] = { "the report", explain_text },
	[FORM_JSON] = { "--json", explain_json },
	[FORM_HTML] = { "--html", explain_html },
};

struct options {
	struct explain_how how;
	char **assignments;
	size_t nr_assignments;
	const char *output;       /* NULL: standard error */
	enum form form;           /* of what goes there */
	const char *files[FORMS]; /* of what goes elsewhere */
	bool compares;
	struct {
		FILE *out;
		enum form form;
	} outputs[FORMS + 1];
	size_t nr_outputs;
};

static const struct option long_options[] = {
	{ "set", required_argument, NULL, 's' },   { "output", required_argument, NULL, 'o' },
	{ "json", optional_argument, NULL, 'j' },  { "html", optional_argument, NULL, 'h' },
	{ "compare", no_argument, NULL, 'c' },     { "progress", no_argument, NULL, 'p' },
	{ "no-progress", no_argument, NULL, 'n' }, { NULL, 0, NULL, 0 },
};

static void usage_error(const char *message)
{
	fprintf(stderr, "rtaio explain: %s\n", message);
	exit(EXIT_OURS);
}

static void choose_form(struct options *options, enum form form, const char *file)
{
	if (file && !*file)
		usage_error("--json= and --html= need the name of a file");
	if (file) {
		options->files[form] = file;
		return;
	}
	if (options->form != FORM_TEXT && options->form != form)
		usage_error("--json and --html exclude each other, unless one names a file");
	options->form = form;
}

static void add_assignment(struct options *options, char *assignment)
{
	size_t size = (options->nr_assignments + 2) * sizeof(char *);
	char **grown = realloc(options->assignments, size);

	if (!grown)
		usage_error(strerror(ENOMEM));
	options->assignments = grown;
	grown[options->nr_assignments++] = assignment;
	grown[options->nr_assignments] = NULL;
}

static void take_option(struct options *options, int option)
{
	switch (option) {
	case 's':
		add_assignment(options, optarg);
		break;
	case 'o':
		options->output = optarg;
		break;
	case 'j':
		choose_form(options, FORM_JSON, optarg);
		break;
	case 'h':
		choose_form(options, FORM_HTML, optarg);
		break;
	case 'c':
		options->compares = true;
		break;
	case 'p':
	case 'n':
		options->how.shows_progress = option == 'p';
		break;
	default:
		exit(EXIT_OURS);
	}
}

static void parse(struct options *options, int argc, char **argv)
{
	static char *nothing[] = { NULL };
	int option;

	options->how.shows_progress = isatty(STDERR_FILENO);
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1)
		take_option(options, option);
	if (optind == argc)
		usage_error("no command given");
	options->how.command = argv + optind;
	options->how.assignments = options->assignments ? options->assignments : nothing;
}

static void add_output(struct options *options, FILE *out, enum form form)
{
	options->outputs[options->nr_outputs].out = out;
	options->outputs[options->nr_outputs++].form = form;
}

static void open_output(struct options *options, const char *path, enum form form)
{
	FILE *out = fopen(path, "we");

	if (!out) {
		fprintf(stderr, "rtaio explain: %s: %s\n", path, strerror(errno));
		exit(EXIT_OURS);
	}
	add_output(options, out, form);
}

/* With a buffer: what is written bit by bit may mix with what processes write that still run. */
static FILE *buffered_stderr(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

	return out ? out : stderr;
}

static bool write_report(FILE *out, enum form form, const struct explain_report *report)
{
	forms[form].write(out, report);
	if (fflush(out) == 0 && !ferror(out))
		return true;
	fprintf(stderr, "rtaio explain: %s cannot be written: %s\n", forms[form].name,
		strerror(errno));
	return false;
}

/* Before the command runs, which may take long. */
static void open_outputs(struct options *options)
{
	if (options->output)
		open_output(options, options->output, options->form);
	else
		add_output(options, buffered_stderr(), options->form);
	for (int form = 0; form < FORMS; form++)
		if (options->files[form])
			open_output(options, options->files[form], (enum form)form);
}

static bool write_reports(const struct options *options, const struct explain_report *report)
{
	bool is_written = true;

	for (size_t i = 0; i < options->nr_outputs; i++)
		if (!write_report(options->outputs[i].out, options->outputs[i].form, report))
			is_written = false;
	return is_written;
}

int main(int argc, char **argv)
{
	static char on_glibc[] = "RTAIO_BACKEND=glibc";
	static struct options options;
	static struct explain_run runs[2];
	struct explain_report report = { .run = &runs[0] };
	bool is_written;

	parse(&options, argc, argv);
	open_outputs(&options);
	report.command = options.how.command;
	if (options.compares)
		fputs("rtaio explain: --compare runs the command twice, the second time on glibc\n",
		      stderr);
	if (!explain_run(&runs[0], &options.how, NULL))
		return runs[0].status;
	if (options.compares && !runs[0].is_stopped) {
		if (!explain_run(&runs[1], &options.how, on_glibc))
			return runs[1].status;
		report.compared = &runs[1];
	}
	signal(SIGPIPE, SIG_IGN); /* the reader of the report may have gone */
	is_written = write_reports(&options, &report);
	if (runs[0].status == 0 && report.compared && runs[1].status)
		return runs[1].status;
	return runs[0].status ? runs[0].status : is_written ? 0 : EXIT_OURS;
}
