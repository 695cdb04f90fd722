"""Reading results: Parquet tables in a folder or a bucket, their columns and the records of runs."""
