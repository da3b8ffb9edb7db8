"""The benchmarks: samples whose wish is known, and the measures of how well it was met."""
