"""DicomImage -> ModelInput. The only package that knows MONAI."""
