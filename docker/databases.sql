-- One database for the studies of Optuna, one for MLflow.
CREATE DATABASE studies;
CREATE DATABASE mlflow;
