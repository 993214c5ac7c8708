"""Compare the calls with those of permuted labels."""

from fibroserum.runtime.job import job

# the processes that permute import this file, and must not run it
if __name__ == "__main__":
    with job(snakemake.log[0]):
        from fibroserum import tables
        from fibroserum.cohort.storage import read_fits, read_h5ad
        from fibroserum.permutations.stage import permutation_tables

        settings = snakemake.params.settings
        found = permutation_tables(
            read_h5ad(snakemake.input.cohort, layers=False),
            read_fits(snakemake.input.fits),
            permutations=settings["permutations"],
            alpha=settings["alpha"],
            weighted=settings["weights"] == "other_contrast",
            seed=snakemake.params.seed,
            n_cpus=snakemake.threads,
        )
        tables.write("calibration", found.table, snakemake.output.calibration)
        tables.write("calibration_qq", found.quantiles, snakemake.output.quantiles)
