from django.db import models


class Line(models.Model):
    """What was said in a group."""

    group = models.CharField(max_length=100)
    seq = models.PositiveBigIntegerField()
    role = models.CharField(max_length=20)
    author = models.CharField(max_length=300)
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["group", "seq"])]
