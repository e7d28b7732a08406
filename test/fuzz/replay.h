/* SPDX-License-Identifier: ISC
 * replay.h - with -DFUZZ_MAIN a fuzz target is a program that runs the files named
 *
 * A target that can make inputs itself defines FUZZ_MADE_UP as the function that runs them. It is
 * called where no files are named.
 */
#ifdef FUZZ_MAIN
int main(int argc, char **argv)
{
	static unsigned char file[1 << 20];
	size_t n;
	FILE *f;
	int i;

	for (i = 1; i < argc; i++) {
		f = fopen(argv[i], "rb");
		if (!f) {
			perror(argv[i]);
			return 1;
		}
		n = fread(file, 1, sizeof file, f);
		fclose(f);
		LLVMFuzzerTestOneInput(file, n);
	}
#ifdef FUZZ_MADE_UP
	if (argc < 2) {
		FUZZ_MADE_UP();
		return 0;
	}
#endif
	printf("%d inputs\n", argc - 1);
	return 0;
}
#endif
