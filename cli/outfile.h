/* SPDX-License-Identifier: ISC
 * outfile.h - --output: the file that takes the place of standard output
 */
#ifndef WQ_OUTFILE_H
#define WQ_OUTFILE_H

/* Makes descriptor 1 a new file beside the one named. 0, or an errno. */
int wq_outfile_open(const char *name);
/* The file, or "standard output": for sentences about what could not be written */
const char *wq_outfile_name(void);
/* Not all could be written, so the file that has the name stays as it is. */
void wq_outfile_spoil(void);
/* Ends the output, also from a signal handler: the new file takes the name, if anything was written to
 * it. Returns the exit status, which was status so far. Without a file it does nothing. */
int wq_outfile_end(int status);

#endif
