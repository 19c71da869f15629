"""Names of the folders and files of a trained model, for those who read nothing else of a run."""

MODEL = "model"
MODEL_FACTS = "model.json"  # of a bundle; written last
WEIGHTS = "weights.safetensors"
