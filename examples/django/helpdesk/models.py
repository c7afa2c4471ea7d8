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


class Remark(models.Model):
    """What is no part of a conversation: that a person was asked for, took over or handed back, and what somebody thinks of the answers."""

    group = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    user = models.CharField(max_length=300)
    rating = models.SmallIntegerField(null=True)
    text = models.TextField()
