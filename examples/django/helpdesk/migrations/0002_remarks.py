from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('helpdesk', '0001_lines'),
    ]

    operations = [
        migrations.CreateModel(
            name='Remark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.CharField(max_length=100)),
                ('kind', models.CharField(max_length=20)),
                ('user', models.CharField(max_length=300)),
                ('rating', models.SmallIntegerField(null=True)),
                ('text', models.TextField()),
            ],
        ),
    ]
