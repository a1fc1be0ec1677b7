"""scikit-learn: estimators and pipelines, read and written."""
